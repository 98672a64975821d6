"""What lies on disk: runs, show, verify, stop, presets, data; and scores as lines of a terminal. No torch is loaded."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, printable, refusal
from latentlab.base.files import check_writable
from latentlab.base.texts import aligned, reason
from latentlab.cli import say
from latentlab.cli.parser import Parser, add_fields, add_lang, add_value, config_changes, named_spec
from latentlab.config.parts import every_field
from latentlab.config.presets import PRESETS, about, preset
from latentlab.config.sources import of_points, valid
from latentlab.runs.diagnosis import diagnose, line
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.folder import RunFolder, list_runs, open_folder, run_paths

STOP_SECONDS = 60.0
MOST_UNREAD = 0.01  # of a source's files, that may be unreadable without a word
SHORT = {"loss_nats": "loss", "kl_nats": "KL", "mse": "mse", "discriminator_loss": "D", "generator_loss": "G"}  # of losses, in a line
FLOOR = "Floor: what other real images reach; of grey pixels their entropy, of an accuracy the commonest class."
UNITS = 36  # characters of a unit that are shown


def headline(row: dict[str, Any]) -> str:
    """The losses of a row of metrics, short."""
    return "  ".join(f"{short} {row[name]:.4g}" for name, short in SHORT.items() if isinstance(row.get(name), float))


def command_runs(arguments: list[str]) -> int:
    """List runs."""
    parser = Parser("runs", "List the runs in a folder (runs/), three levels deep.")
    parser.add_argument("folder", nargs="?", default="runs", metavar="DIR")
    options = parser.parse(arguments)
    rows = [["run", "preset", "data", "state", "step", "epoch", "last held-out numbers"]]
    for folder in list_runs(options.folder):
        try:
            config, status = folder.config(), folder.status()
            last: dict[str, Any] = next((row for row in reversed(folder.metrics()) if row["split"] == "val"), {})
        except LabError as error:
            rows.append([str(folder.path), "?", "?", "damaged", "", "", str(error)])
            continue
        epoch = f"{last['epoch']:.2f}" if last else "0"
        state, step = status.get("state", "?"), str(status.get("step", "?"))
        rows.append([str(folder.path), config.preset, config.data.spec, state, step, epoch, headline(last)])
    lines = aligned([list(map(printable, row)) for row in rows], range(len(rows[0])))
    print("\n".join(lines) if len(rows) > 1 else f"no runs in {options.folder}")
    return 0


def _tree(config: Any) -> list[str]:
    lines = []
    for name, part in config.to_dict().items():
        if isinstance(part, dict):
            lines.append(name)
            lines += [f"  {name}.{key:<28} {json.dumps(value)}" for key, value in part.items()]
        else:
            lines.append(f"{name:<10} {part}")
    return lines


def command_show(arguments: list[str]) -> int:
    """One run."""
    parser = Parser("show", "One run: state, last numbers, machine, configuration.")
    parser.add_argument("run", metavar="RUN")
    options = parser.parse(arguments)
    folder = open_folder(options.run)
    status, environment = folder.status(), folder.environment()
    lines = [f"{folder.path}: {status.get('state', 'unknown')} at step {status.get('step', '?')}. {status.get('message', '')}".rstrip()]
    noted = folder.notes()
    lines += [printable(" ".join([*(f"#{tag}" for tag in noted["tags"]), noted["note"]])).strip()] if any(noted.values()) else []
    rows = folder.metrics()
    for split in ("train", "val"):
        row: dict[str, Any] = next((r for r in reversed(rows) if r["split"] == split and not {"request", "failure"} & r.keys()), {})
        if row:
            lines.append(f"{split:<5} step {row['step']}  epoch {row['epoch']:.2f}  {row['seconds']:.1f} s  " + "  ".join(_numbers(row)))
    findings = diagnose(rows, facts_of(folder.config(), environment))
    lines += [f"diagnosis  {line(finding)}" for finding in findings] or ["diagnosis  no alarm"]
    measured = folder.scores()
    if measured and measured.get("step") != folder.sampled_step():
        lines.append(f"scores are of step {measured.get('step')}: `latentlab evaluate {folder.path}` measures the present one")
    for name, score in measured.get("scores", {}).items():
        error = f" {spread(score)}".rstrip()
        floor = f"  floor {score['floor']:.4g}" if "floor" in score else ""
        value = "infinite" if score["value"] is None else f"{score['value']:.5g}"
        note = f"  ({score['note']})" if "note" in score else ""
        seen = f"  seen by {score['extractor']}" if "extractor" in score else ""
        lines.append(f"score {name:<24} {value}{error} {score['unit']}{floor}  n={score['n']}{seen}{note}")
    lines.append("environment")
    for key, value in environment.items():
        lines.append(f"  {key:<28} {json.dumps(value)}")
    print("\n".join(lines + _tree(folder.config())))
    return 0


def _numbers(row: dict[str, Any]) -> list[str]:
    skipped = ("step", "epoch", "seconds", "split", "images_seen")
    return [
        f"{key} {value:.5g}" if isinstance(value, int | float) else f"{key} {value}" for key, value in row.items() if key not in skipped
    ]


def command_verify(arguments: list[str]) -> int:
    """Check every file of a run."""
    parser = Parser("verify", "Check every file of a run, or of the runs in a folder: form, checksums, pictures.")
    parser.add_argument("run", metavar="RUN")
    options = parser.parse(arguments)
    folders = [open_folder(path) for path in run_paths(options.run)]
    from latentlab.runs.verify import check_run

    damaged = 0
    for folder in folders:
        for path, problem in check_run(folder):
            damaged += problem is not None
            shown = path.relative_to(options.run)
            print(f"{'damaged' if problem else 'ok':<8} {shown}" + (f"  {problem}" if problem else ""))
    if damaged:
        raise LabError(
            f"{options.run} must be whole, but {damaged} of its files are damaged (named above). Restore them from a copy, or resume."
        )
    return 0


def command_stop(arguments: list[str]) -> int:
    """Stop a run."""
    parser = Parser("stop", "Ask the process that trains a run, wherever it is, to save and stop; wait until it has.")
    parser.add_argument("run", metavar="RUN")
    options = parser.parse(arguments)
    folder = open_folder(options.run)
    if not _trains(folder):
        status = folder.status()
        raise LabError(
            f"{folder.path} must be training to be stopped. It is {status.get('state', 'unknown')} at step {status.get('step', '?')}."
        )
    folder.request("stop")
    until = time.monotonic() + STOP_SECONDS
    while time.monotonic() < until:
        time.sleep(0.1)
        if not _trains(folder):
            status = folder.status()
            print(f"{folder.path}: {status.get('state')} at step {status.get('step')}")
            return 0
    raise LabError(
        f"{folder.path} must stop within {STOP_SECONDS:.0f} s of being asked, but goes on. Look at process {folder.status().get('pid')}."
    )


def _trains(folder: RunFolder) -> bool:
    return folder.status().get("state") in ("starting", "running", "paused")


def command_presets(arguments: list[str]) -> int:
    """List presets, or print one."""
    parser = Parser("presets", "List the presets; with a name, print that one in full.")
    parser.add_argument("name", nargs="?", metavar="NAME")
    options = parser.parse(arguments)
    if options.name is not None:
        config = preset(options.name)
        print(about(options.name) + "\n")
        print("\n".join(_tree(config)))
        return 0
    width = max(map(len, PRESETS))
    for name in PRESETS:
        print(f"{name:<{width}}  {about(name).splitlines()[0]}")
    print("\n`latentlab presets NAME` prints one in full; `latentlab train NAME` trains it.")
    return 0


def command_data(arguments: list[str]) -> int:
    """Data sets: download one, or draw pictures."""
    if arguments[:1] in (["make-art"], ["inspect"]):
        return (_make_art if arguments[0] == "make-art" else _inspect)(arguments[1:])
    parser = Parser(
        "data",
        "Download a data set: `latentlab data fetch mnist`. Look at one file by file: `latentlab data inspect folder:DIR`. "
        "Draw pictures: `latentlab data make-art --out DIR`.",
    )
    parser.add_argument("action", metavar="fetch|inspect|make-art")
    parser.add_argument("spec", metavar="SPEC", help=valid("published"))
    parser.add_argument("--data-root", metavar="DIR", help="where it goes; default LATENTLAB_DATA, else the platform's cache folder")
    parser.add_argument("--from", dest="address", metavar="URL", help="another https address that holds the set's files")
    options = parser.parse(arguments)
    if options.action != "fetch":
        raise refusal("the data action", "fetch, inspect or make-art", options.action, "`latentlab data fetch mnist` downloads MNIST.")
    from latentlab.data import fetch

    addresses = [options.address.rstrip("/") + "/"] if options.address else None
    print(fetch(options.spec, options.data_root, addresses, report=say))
    return 0


def _inspect(arguments: list[str]) -> int:
    parser = Parser(
        "data inspect",
        "Say what becomes of each file of a data set: used, converted, enlarged, double, skipped or left aside; splits, classes, sizes.",
    )
    parser.add_argument("spec", type=named_spec, metavar="SPEC", help=valid())
    add_fields({"data": parser}, [field for field in every_field().values() if field.part == "data" and field.leaf != "spec"])
    parser.add_argument("--json", action="store_true", help="as JSON, file by file")
    parser.add_argument("--out", metavar="FILE.html", help="a page with a contact sheet, too")
    parser.add_argument("--skip-unreadable", action="store_true", help="go on where more than 1 %% of the files cannot be read")
    add_lang(parser, "the language of what is told")
    options = parser.parse(arguments)
    from latentlab.data import load_data
    from latentlab.data.inspected import inspect
    from latentlab.show.inspection import lines, write_html

    if of_points(options.spec):
        raise refusal("SPEC", "a set of images", options.spec, "Points are no files to look at.")
    base = preset("mlp-ae")  # any: it is the data's part alone that counts
    config = base.replace(**config_changes(options, base) | {"data.spec": options.spec}).data
    found = inspect(config, load_data(config))
    count = len(found.used) + len(found.skipped)
    if len(found.skipped) > MOST_UNREAD * count and not options.skip_unreadable:
        named = ", ".join(f"{printable(path)} ({why})" for path, why in found.skipped[:10])
        raise LabError(reason("unread", spec=options.spec, unread=len(found.skipped), count=count, named=named))
    print(json.dumps(found.as_json(), indent=2) if options.json else "\n".join(lines(found, options.lang)))
    if options.out:
        check_writable(Path(options.out))
        write_html(found, Path(options.out), options.lang)
        say(f"{options.out} written.")
    return 0


def _make_art(arguments: list[str]) -> int:
    from tqdm import tqdm

    from latentlab.data.drawn import LARGEST, MOST, SMALLEST, draw_pictures

    parser = Parser(
        "data make-art", "Draw abstract pictures into a folder, for who has none at hand. Picture i depends on (seed, i) alone."
    )
    add_value(parser, "--count", int, "how many (300)", 300, minimum=1, maximum=MOST)
    add_value(parser, "--size", int, "height and width in pixels (128)", 128, minimum=SMALLEST, maximum=LARGEST)
    add_value(parser, "--seed", int, "what they are drawn from (0)", 0, minimum=0, maximum=2**31 - 1)
    parser.need(parser.add_argument("--out", metavar="DIR", help="a new or an empty folder"))
    options = parser.parse(arguments)
    if options.out is None:
        raise LabError("--out must be a new or an empty folder. Got none. Name one, such as --out art.")
    for _ in tqdm(draw_pictures(Path(options.out), options.count, options.size, options.seed), total=options.count, disable=None):
        pass
    print(options.out)
    return 0


def score_lines(result: Mapping[str, Any]) -> list[str]:
    """One line a score, then the notes that some of them carry and what they were measured with."""
    rows = [["score", "value", "95 % interval or ± error", "floor", "n", "unit"]]
    notes: dict[str, list[str]] = {}
    for name, score in result.get("scores", {}).items():
        seen = f" ({score['extractor']})" if "extractor" in score and "@" not in name else ""
        floor = shown(score["floor"]) if "floor" in score else ""
        rows.append([name + seen, shown(score["value"]), spread(score), floor, f"{score['n']:,}", score["unit"][:UNITS]])
        if "note" in score:
            notes.setdefault(score["note"], []).append(name)
    lines = aligned(rows, (0, 5), ruled=True)
    lines += [f"note ({', '.join(names)}): {note}" for note, names in notes.items()]
    lines += details(result)
    return [*lines, *provenance(result)]


def details(result: Mapping[str, Any]) -> list[str]:
    """What stands behind some of the numbers."""
    lines = []
    scores = result.get("scores", {})
    if "effective_samples" in (nll := scores.get("nll_nats", {})):
        sizes, bounds = nll["effective_samples"], nll.get("bounds_nats", {})
        said = (
            f"NLL: {nll['k']:,} importance samples an image, effective {shown(sizes['mean'])} on average, {shown(sizes['least'])} at least"
        )
        if "pareto_k" in nll:
            tails = nll["pareto_k"]
            said += f", Pareto k {shown(tails['mean'])} on average, above {tails['threshold']} for {100 * tails['above']:.0f} % of images"
            said += " (more --nll-samples would lower theirs)" if tails["above"] else ""
        if "drawn" in nll:
            said += f", {nll['drawn']['mean']:,.0f} samples drawn on average"
        lines.append(f"{said}; IWAE bounds " + ", ".join(f"k = {k}: {shown(value)}" for k, value in bounds.items()))
    if "copies" in (near := scores.get("nearest_train_distance", {})):
        copies = near["copies"]
        low, high = (100 * end for end in copies["ci95"])
        said = f"copies: {100 * copies['share']:.1f} % [{low:.1f}, {high:.1f}] of the samples are nearer to a training image than"
        lines.append(f"{said} 99 % of unseen images are (expected without copying: 1 %)")
    if result.get("headline") == "kid":
        lines.append("headline: kid, for images are few")
    return lines + ([result["left_out"]] if "left_out" in result else [])


def shown(value: float | None) -> str:
    """A number to five figures; what is null in the file is infinite."""
    if value is None:
        return "∞"
    return f"{value:,.5g}" if abs(value) < 1e5 else f"{value:,.0f}"


def spread(score: Mapping[str, Any]) -> str:
    """The interval of a score, or its standard error."""
    if "ci95" in score:
        return " … ".join(shown(end) for end in score["ci95"])
    return f"± {score['stderr']:.2g}" if "stderr" in score else ""


def provenance(result: Mapping[str, Any]) -> list[str]:
    """What was measured, against what, and seen by which extractors."""
    said = [f"{result.get('data', '?')}, {result.get('split', '?')} split of {result.get('n', 0):,} images"]
    if "samples" in result:
        said.append(f"{result['samples']:,} samples")
    if "samples_per_second" in result:
        said.append(f"{result['samples_per_second']:,.0f} samples a second")
    lines = [f"measured on {'; '.join(said)}. {FLOOR}"]
    for name, facts in result.get("extractors", {}).items():
        accuracy = facts.get("accuracy")
        known = f", accuracy {100 * accuracy:.2f} % on the test split" if accuracy is not None else ""
        label = f" ({facts['note']})" if facts.get("note") else ""
        lines.append(f"extractor {name}{known}, sha256 {facts['sha256'][:16]}…{label}")
    return lines

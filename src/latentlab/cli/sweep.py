"""`latentlab sweep`: a grid of runs with seeds, ending in one comparison."""

from __future__ import annotations

import sys

from latentlab.cli.parser import Parser, add_config_options, config_alternatives, whole
from latentlab.errors import LabError, refusal
from latentlab.presets import PRESETS, preset


def command_sweep(arguments: list[str]) -> int:
    """Train, evaluate and compare a grid."""
    parser = Parser(
        "sweep",
        "Train every combination of the values given, e.g. --latent-dim 2,8,32 --beta 1,4 --seeds 3 (lists: --hidden 400/256,128), "
        "each in a process of its own; evaluate and compare them. The same command goes on where it was stopped. "
        "Every option of `latentlab train` is one of sweep.",
    )
    parser.add_argument("preset", nargs="?", metavar="PRESET", help="one of " + ", ".join(PRESETS))
    parser.add_argument("--out", metavar="DIR", help="where the runs and their comparison go; default runs/sweep-PRESET-NNN")
    parser.add_argument("--seeds", metavar="N", help="seeds 0 to N − 1, or from --seed on")
    parser.add_argument("--jobs", metavar="N", help="runs side by side; default: cores / threads of a run, 1 on a GPU")
    parser.add_argument("--count", metavar="N", help="samples drawn at each evaluation, as `latentlab evaluate --count`")
    parser.add_argument("--nll-samples", metavar="K", help="importance samples of each image for a VAE's NLL, as in `latentlab evaluate`")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of the table and the figures (en)")
    add_config_options(parser)
    found = parser.parse(arguments)
    if found.preset is None:
        raise LabError(f"latentlab sweep needs a preset, one of {', '.join(PRESETS)}. Got none. Try `latentlab sweep mlp-vae --seeds 3`.")
    if found.lang not in ("en", "fr"):
        raise refusal("--lang", "one of en, fr", found.lang)
    base = preset(found.preset)
    grid = config_alternatives(found, base)
    if found.seeds is not None:
        first = grid.get("train.seed", [base.train.seed])
        if len(first) > 1:
            raise LabError(f"--seeds and a list for --seed were both given ({found.seeds} and {first}). Leave one out.")
        grid["train.seed"] = list(range(first[0], first[0] + whole(found.seeds, "--seeds", 1, 1000)))
    jobs = whole(found.jobs, "--jobs", 1, 1024) if found.jobs is not None else None
    count = whole(found.count, "--count", 20, 50_000) if found.count is not None else None
    nll_samples = whole(found.nll_samples, "--nll-samples", 0, 10**6) if found.nll_samples is not None else None
    if nll_samples and base.family != "vae":
        raise LabError(f"--nll-samples goes with a VAE; {found.preset} has no likelihood. Leave it out.")
    from latentlab.compare import markdown
    from latentlab.sweep import run_sweep

    def say(text: str) -> None:
        print(f"latentlab: {text}", file=sys.stderr, flush=True)

    done = run_sweep(found.preset, grid, out=found.out, jobs=jobs, count=count, nll_samples=nll_samples, lang=found.lang, say=say)
    if done.signal is not None:
        say(f"the sweep was stopped, its runs are saved; the same command goes on in {done.folder}.")
        return 128 + done.signal
    for name, failure in done.failures.items():
        say(f"{done.folder / name} failed: {failure.reason} Its log is {done.folder / name}.log.")
    if done.compared is not None:
        print(markdown(done.compared, found.lang))
        print(done.folder)
    return 0 if not done.failures else 2 if all(failure.status == 2 for failure in done.failures.values()) else 1

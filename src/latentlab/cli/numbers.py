"""scores.json as lines of a terminal: value, error or interval, floor, unit, count. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FLOOR = "Floor: what other real images reach; of grey pixels their entropy, of an accuracy the commonest class."
FEW_EFFECTIVE = 10.0  # effective importance samples
UNITS = 36  # characters of a unit that are shown


def score_lines(result: Mapping[str, Any]) -> list[str]:
    """One line a score, then the notes that some of them carry and what they were measured with."""
    rows = [["score", "value", "95 % interval or ± error", "floor", "n", "unit"]]
    notes: dict[str, list[str]] = {}
    for name, score in result.get("scores", {}).items():
        rows.append([name, shown(score["value"]), spread(score), shown(score["floor"]) if "floor" in score else "", f"{score['n']:,}"])
        rows[-1].append(score["unit"][:UNITS])
        if "note" in score:
            notes.setdefault(score["note"], []).append(name)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(_placed(cell, i, width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
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
        lines.append(f"{said}; IWAE bounds " + ", ".join(f"k = {k}: {shown(value)}" for k, value in bounds.items()))
        if sizes["mean"] is None or sizes["mean"] < FEW_EFFECTIVE:
            lines.append("NLL: so few effective samples leave it too high; raise --nll-samples")
    if "copies" in (near := scores.get("nearest_train_distance", {})):
        copies = near["copies"]
        low, high = (100 * end for end in copies["ci95"])
        said = f"copies: {100 * copies['share']:.1f} % [{low:.1f}, {high:.1f}] of the samples are nearer to a training image than"
        lines.append(f"{said} 99 % of unseen images are (expected without copying: 1 %)")
    if result.get("headline") == "kid":
        lines.append("headline: kid, for images are few")
    return lines + ([result["left_out"]] if "left_out" in result else [])


def _placed(cell: str, place: int, width: int) -> str:
    return cell.ljust(width) if place in (0, 5) else cell.rjust(width)


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
    lines = (
        [
            "measured on "
            + "; ".join(said)
            + ". Floor: what other real images reach; of grey pixels their entropy, of an accuracy the commonest class."
        ]
        if said
        else []
    )
    for name, facts in result.get("extractors", {}).items():
        accuracy = facts.get("accuracy")
        known = f", accuracy {100 * accuracy:.2f} % on the test split" if accuracy is not None else ""
        label = f" ({facts['note']})" if facts.get("note") else ""
        lines.append(f"extractor {name}{known}, sha256 {facts['sha256'][:16]}…{label}")
    return lines

"""How every claim of the questions comes out, on digits and on MNIST, each time with fresh seeds.

Each question's experiment is run for each set and first seed (its arms have that seed and those after it). The verdicts, and with
how many seeds an arm they came, are written to src/latentlab/show/claims.json, where cards find them, and as a table to
benchmarks/claims.md. About an hour on two cores, not part of `make bench`.

Run: python benchmarks/bench_claims.py [--seeds 100 200 300] [--runs DIR] [--questions NAME …]
Cards in DIR that are there are read, not run again. With --questions what was found of the others stays.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from latentlab import questions
from latentlab.base.files import read_json, replace_json, replace_text
from latentlab.show.card import NAMES

SETS = ("digits", "mnist")
RESULT = Path(__file__).parents[1] / "src" / "latentlab" / "show" / "claims.json"  # the cards read it
TABLE = Path(__file__).with_name("claims.md")
SIGNS = {"holds": "✓", "contradicted": "✗", "unclear": "≈"}
HEAD = """# How the claims come out

`python benchmarks/bench_claims.py` runs every question on both sets with first seeds {seeds}. ✓ holds, ✗ contradicted, ≈ not
settled, by the 95 % interval over the seeds of each run.

| question | claim | digits | MNIST |
|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 200, 300])
    parser.add_argument("--runs", type=Path, default=None)
    parser.add_argument("--questions", nargs="+", choices=NAMES, default=NAMES)
    options = parser.parse_args()
    found: dict[str, dict[str, dict[str, list[str]]]] = {key: {} for key in NAMES}  # in their order
    seeds: dict[str, int] = {}  # of each arm
    if set(options.questions) < set(NAMES):
        before = read_json(RESULT)
        if before["first_seeds"] != options.seeds:
            raise SystemExit(f"{RESULT} is of the first seeds {before['first_seeds']}. Give those, or run all questions.")
        found |= {name: claims for name, claims in before["claims"].items() if name not in options.questions}
        seeds |= {name: count for name, count in before["seeds"].items() if name not in options.questions}
    found |= {name: {} for name in options.questions}
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.questions:
            for data in SETS:
                for seed in options.seeds:
                    folder = (options.runs or Path(scratch)) / f"{data}-{seed}" / name
                    is_there = (folder / "card.json").is_file()
                    card = questions.load(folder) if is_there else questions.run(name, folder, data=data, seed=seed)
                    if seeds.setdefault(name, card.seeds) != card.seeds:
                        raise SystemExit(f"{folder} has {card.seeds} seeds an arm, other cards of {name} have {seeds[name]}. Remove it.")
                    for claim in card.claims:
                        found[name].setdefault(claim.name, {}).setdefault(data, []).append(claim.verdict)
                    print(name, data, seed, json.dumps({claim.name: SIGNS[claim.verdict] for claim in card.claims}, ensure_ascii=False))
    replace_json(RESULT, {"first_seeds": options.seeds, "seeds": seeds, "claims": found})
    rows = [
        f"| {name} | {claim} | " + " | ".join("".join(SIGNS[verdict] for verdict in sets[data]) for data in SETS) + " |"
        for name, claims in found.items()
        for claim, sets in claims.items()
    ]
    replace_text(TABLE, HEAD.format(seeds=", ".join(map(str, options.seeds))) + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()

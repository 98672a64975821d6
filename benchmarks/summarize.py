"""Write benchmarks/README.md from benchmarks/results.jsonl: the newest line of each measurement, as it was measured.

Run: python benchmarks/summarize.py
"""

from __future__ import annotations

import json

from common import RESULTS

HEAD = """# What was measured

`make bench` runs the programs in this folder (about three quarters of an hour on two cores, MNIST found through
`LATENTLAB_DATA`) and appends each number to `results.jsonl`; `python benchmarks/summarize.py` writes this page from it.
Leave the machine alone meanwhile: two busy cores make two-thread training up to fifteen times slower.

| program | shows |
|---|---|
| `bench_speed.py` | an epoch of `mlp-vae` against the usual PyTorch script's, in one run |
| `bench_cold.py` | commands' starts, memory, what a run costs beside its updates, growth; goals and the lab from a cold start |
| `bench_busy.py` | a training step beside one and four other busy processes, against alone |
| `bench_shards.py` | what shards cost on one process, and what a second process gains |
| `bench_data.py FOLDER` | a million files: decoded, found again, whose memory they take; shards from a server against a folder |
| `bench_quality.py` | held-out losses of `mlp-vae`, `mlp-ae` and `conv-vae` |
| `bench_gan.py` | Frechet distance and class balance of `sn-gan` after 150 seconds of training |
| `bench_models.py KIND …` | class-conditional models, bounds and likelihoods of a VAE, small folders of pictures: targets in its text |
| `bench_stacked.py` | the modes of stacked MNIST that a GAN finds in 15 minutes of two cores |
| `bench_points.py` | `point-gan` and `point-vae` on `ring` and `grid`: modes, high-quality share, reverse KL |
| `bench_keras.py` | an epoch of `keras-vae` beside the usual Keras script's, on TensorFlow and JAX; what the engines reach |
| `bench_art.py FOLDER …` | `art-gan` on folders of real pictures: recall, KID, diversity, weave, colours, copies |
| `bench_evaluate.py` | how long the importance-sampled NLL and an evaluation of 10,000 samples take |
| `bench_explorer.py` | how long the browser's decoders take for one image: WebAssembly, blocks of JavaScript, nested loops |
| `bench_questions.py` | how long each question's experiment takes, from start to card, on `digits` |
| `bench_claims.py` | every claim of the questions on digits and MNIST with fresh seeds (an hour): [claims.md](claims.md) |
| `bench_ray.py` | what Ray costs a sweep of 12 runs against local workers; a worker killed with -9, twice |
| `bench_studio.py` | how soon the studio's pages are there, how fast they answer a click and a drag, what a page costs training |
| `bench_report.py` | how large the report of the lab on MNIST is, all questions included; how long 120 hand-ins take to grade |

[vae-to-gan/experiment.md](vae-to-gan/experiment.md) is the result of `latentlab experiment vae-to-gan` (about an hour, not
part of `make bench`), as it was written.

| measurement | value | target | |
|---|---|---|---|
"""


def main() -> None:
    newest: dict[str, dict] = {}
    for line in RESULTS.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        newest[entry["what"]] = entry
    rows = []
    for what, entry in newest.items():
        value = entry["value"]
        text = "; ".join(f"{k} {v:.4g}" for k, v in value.items()) if isinstance(value, dict) else f"{value:.4g}"
        verdict = {True: "reached", False: "**not reached**", None: ""}[entry["reached"]]
        rows.append(f"| {what} | {text} {entry['unit']} | {entry['target']} | {verdict} |")
    machines = sorted({f"{e['processor']}, {e['cores']} cores, torch {e['torch']}, {e['date']}" for e in newest.values()})
    text = HEAD + "\n".join(rows) + "\n\nMachine: " + "; ".join(machines) + ".\n"
    (RESULTS.parent / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

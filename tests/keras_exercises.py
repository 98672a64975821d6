"""What the checks say of solutions in Keras, in one process that has TensorFlow: `keras_exercises.py OUT.json [all]`.

Without `all`: the first right and the first wrong solution of FEW, and the broken pieces; for `make test`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from exercise_direct import failed
from exercise_solutions_keras import HEAD, MENDED, RIGHT, WRONG

from latentlab.lab.exercises import EXERCISES, starter, student

FEW = ("encoder", "sampling", "vae-loss", "gan-step")


def main(out: Path, everything: bool) -> None:
    from latentlab.lab.exercises import operations_keras

    student.OPERATIONS.update(operations_keras.OPERATIONS)
    found: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in RIGHT if everything else FEW:
            for number, text in enumerate(RIGHT[name][: None if everything else 1]):
                found[f"{name} right {number}"] = failed(name, folder, HEAD + text, "keras")
            for number, (_, *changes) in enumerate(WRONG[name][: None if everything else 1]):
                text = RIGHT[name][0]
                for before, after in [tuple(changes[:2]), *changes[2:]]:
                    if before not in text:
                        raise ValueError(f"{name} wrong {number}: {before}")
                    text = text.replace(before, after)
                found[f"{name} wrong {number}"] = failed(name, folder, HEAD + text, "keras")
        text = starter("broken", "en", "keras")
        found["broken 0"] = failed("broken", folder, text, "keras")
        for number, (old, new) in enumerate(MENDED.values(), 1):
            if text.count(old) != 1:
                raise ValueError(f"broken {number}: {old}")
            text = text.replace(old, new)
            if everything:
                found[f"broken {number}"] = failed("broken", folder, text, "keras")
        for name in EXERCISES:
            found[f"starter {name}"] = failed(name, folder, starter(name, "en", "keras"), "keras")
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "all" in sys.argv)

"""The exercises' Keras twins: the same checks, on right and on wrong solutions in Keras; a file of Keras in a process of its own."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from exercise_solutions_keras import HEAD, MENDED, RIGHT, WRONG
from keras_exercises import FEW

from latentlab.base.texts import catalogue, languages
from latentlab.cli import main
from latentlab.lab.exercises import EXERCISES, framework_of, handed, present, starter

Found = dict[str, dict[str, str]]


def found_by(folder: Path, *words: str) -> Found:
    out = folder / "found.json"
    script = str(Path(__file__).with_name("keras_exercises.py"))
    done = subprocess.run([sys.executable, script, str(out), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found: Found = json.loads(out.read_text())
    return found


def hold(found: Found) -> None:
    """Right solutions pass, each wrong one fails the check meant for it, which was looked at; starters pass nothing."""
    pieces = [one.name for one in EXERCISES["broken"].checks]
    for key, failing in found.items():
        name, kind, number = (*key.split(), "")[:3]
        if kind == "right":
            assert failing == {}, key
        elif kind == "wrong":
            meant = WRONG[name][int(number)][0]
            assert meant in failing, key
            assert "not looked at" not in failing[meant], key
        elif name == "broken":
            assert list(failing) == pieces[int(kind) :], key
        else:
            assert len(failing) == len(EXERCISES[kind].checks_of("keras")), key


def test_right_and_wrong_solutions(tmp_path: Path) -> None:
    found = found_by(tmp_path)
    assert len(found) == len(FEW) * 2 + 1 + len(EXERCISES)
    hold(found)


@pytest.mark.slow
def test_all_right_and_wrong_solutions(tmp_path: Path) -> None:
    found = found_by(tmp_path, "all")
    assert len(found) == sum(map(len, [*RIGHT.values(), *WRONG.values()])) + 1 + len(MENDED) + len(EXERCISES)
    hold(found)


def test_there_are_enough_solutions_and_a_wrong_one_for_every_check() -> None:
    assert list(MENDED) == [one.name.removeprefix("piece-") for one in EXERCISES["broken"].checks]
    for name, wrong in WRONG.items():
        assert len(RIGHT[name]) >= 3
        assert len(wrong) >= 8
        missing = {one.name for one in EXERCISES[name].checks_of("keras")} - {meant for meant, *_ in wrong}
        shared = ("rows", "repeats", "differs", "pixels", "registered")  # with other networks, which have a wrong one for each
        assert missing <= {f"{part}-{check}" for part in ("generator", "discriminator") for check in shared}


@pytest.mark.parametrize("name", EXERCISES)
def test_a_starter_is_keras_and_the_same_code_in_each_language(name: str) -> None:
    texts = [starter(name, lang, "keras") for lang in languages()]
    code = [re.sub(r"(?m)^\s*#.*\n", "", text) for text in texts]
    assert code[0] == code[1]
    assert texts[0] != texts[1]
    assert present(texts[0]) == [EXERCISES[name]]
    ast.parse(texts[0])
    assert framework_of(texts[0]) == (None if EXERCISES[name].header == "numbers" else "keras")
    assert "torch" not in " ".join(texts)


@pytest.mark.parametrize("lang", languages())
def test_what_is_said_otherwise_of_keras_says_nothing_of_torch(lang: str) -> None:
    known = catalogue(lang)
    others = [key for key in known if key.startswith("exercise.") and key.endswith(".keras")]
    assert len(others) > 40
    for key in others:
        assert key.removesuffix(".keras") in known
        assert known[key] != known[key.removesuffix(".keras")]
    torch_only = {f"exercise.{what}.{check}" for what in ("check", "means") for check in ("from-mode", "images-kept")}
    of_torch = r"torch|\bnn\.|\bF\.|zero_grad|backward|detach|requires_grad|eval\(\)|\[N, [1C], "
    for key in {key for key in known if key.startswith("exercise.") and not key.endswith(".keras")} - torch_only:
        assert not re.search(of_torch, known.get(f"{key}.keras", known[key]), re.IGNORECASE), key


@pytest.mark.slow
def test_a_student_writes_in_keras_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """Starter, check by the command in a process of its own, one more exercise, another framework refused, the hand-in."""
    monkeypatch.chdir(tmp_path)
    assert main(["exercise", "decoder", "--framework", "keras", "--out", "my_vae.py"]) == 0
    assert main(["exercise", "sampling", "--framework", "keras", "--out", "my_vae.py", "--lang", "fr"]) == 0
    before = Path("my_vae.py").read_bytes()
    assert main(["exercise", "encoder", "--out", "my_vae.py"]) == 2
    assert "--framework must be keras, as my_vae.py is. Got 'torch'" in capsys.readouterr().err
    assert Path("my_vae.py").read_bytes() == before
    assert main(["exercise", "vae-loss", "--framework", "keras", "--hint"]) == 0
    said = capsys.readouterr()
    assert "ops.binary_crossentropy" in said.out
    assert said.err.strip().endswith("--hint 2 --framework keras")
    wrong = HEAD + RIGHT["decoder"][0].replace("layers.Reshape((28, 28, 1))", "layers.Reshape((1, 28, 28))") + RIGHT["sampling"][0]
    Path("my_vae.py").write_text(wrong, encoding="utf-8")
    assert main(["check", "my_vae.py"]) == 1
    out = capsys.readouterr().out
    assert "[2, 1, 28, 28], should be [2, 28, 28, 1]" in out
    Path("my_vae.py").write_text(HEAD + RIGHT["decoder"][0] + RIGHT["sampling"][0].replace("mean + ", "mean @ "), encoding="utf-8")
    assert main(["check", "my_vae.py"]) == 1
    assert re.search(r"my_vae.py, line \d+, in sample: InvalidArgumentError: Matrix size-incompatible", capsys.readouterr().out)
    Path("my_vae.py").write_text(HEAD + RIGHT["decoder"][0] + RIGHT["sampling"][0], encoding="utf-8")
    assert main(["check", "my_vae.py"]) == 0
    told = handed(Path("my_vae.py"))
    assert all(passed for checks in told["results"].values() for passed in checks.values())
    assert {one["what"] for one in told["told"]} <= catalogue("en").keys()


def test_without_tensorflow_one_line_says_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    from latentlab.lab import exercises

    monkeypatch.setattr(exercises, "find_spec", lambda name: None if name == "tensorflow" else name)
    (tmp_path / "mine.py").write_text(HEAD + RIGHT["sampling"][0], encoding="utf-8")
    assert main(["check", str(tmp_path / "mine.py")]) == 2
    said = capsys.readouterr().err
    assert "tensorflow is missing" in said
    assert said.count("\n") == 1

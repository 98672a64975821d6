"""Exercises: their checks are shown to be good on right and on wrong solutions; files run apart; results reach the hand-in."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exercise_direct import failed
from exercise_solutions import BROKEN, HEAD, MENDED, NUMBERS, RIGHT, WRONG, wrong_text

import latentlab as ll
from latentlab.base.texts import catalogue, languages
from latentlab.cli import main
from latentlab.lab.exercises import EXERCISES, again, check, handed, present, starter, words_of
from latentlab.lab.exercises.process import Failed, Process

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own, of what students write


@pytest.mark.parametrize(("name", "number"), [(name, number) for name, texts in RIGHT.items() for number in range(len(texts))])
def test_right_solutions_pass(name: str, number: int, tmp_path: Path) -> None:
    assert failed(name, tmp_path, HEAD + RIGHT[name][number]) == {}


@pytest.mark.parametrize(("name", "number"), [(name, number) for name, each in WRONG.items() for number in range(len(each))])
def test_each_wrong_solution_fails_the_check_meant_for_it(name: str, number: int, tmp_path: Path) -> None:
    meant, *changes = WRONG[name][number]
    found = failed(name, tmp_path, wrong_text(name, *changes))
    assert meant in found
    assert "not looked at" not in found[meant]


def test_there_are_enough_solutions_and_a_wrong_one_for_every_check() -> None:
    for name, wrong in WRONG.items():
        assert len(RIGHT[name]) >= 3
        assert len(wrong) >= 8
        missing = {one.name for one in EXERCISES[name].checks} - {meant for meant, *_ in wrong}
        # What generator and discriminator share with networks that have a wrong one for each.
        shared = ("rows", "repeats", "differs", "pixels", "registered")
        assert missing <= {f"{part}-{check}" for part in ("generator", "discriminator") for check in shared}


def numbers(values: Mapping[str, str]) -> str:
    """A file of answers."""
    return "import math\n\nanswers = {" + ", ".join(f"{name!r}: {value}" for name, value in values.items()) + "}\n"


def rounded(value: str) -> str:
    import math

    return f"{eval(value, {'math': math}):.3g}"  # the tests' own


@pytest.mark.parametrize("form", [str, rounded, lambda value: f"float({value})"])
def test_right_numbers_pass_in_any_form(form: Any, tmp_path: Path) -> None:
    assert failed("derivations", tmp_path, numbers({name: form(value) for name, value in NUMBERS.items()})) == {}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_wrong_number_fails_alone(name: str, tmp_path: Path) -> None:
    found = failed("derivations", tmp_path, numbers(NUMBERS | {name: f"1.01 * ({NUMBERS[name]})"}))
    assert list(found) == [f"number-{name.replace('_', '-')}"]
    assert failed("derivations", tmp_path, numbers(NUMBERS | {name: "None"})).keys() == found.keys()


def test_each_broken_piece_is_wrong_until_it_is_mended(tmp_path: Path) -> None:
    """One after the other; each alone makes its own check pass, and all three ways of mending them all."""
    text = starter("broken", "en")
    pieces = [f"piece-{name}" for name in MENDED]
    assert list(failed("broken", tmp_path, text)) == pieces == [one.name for one in EXERCISES["broken"].checks]
    for number, (old, new) in enumerate(MENDED.values(), 1):
        assert text.count(old) == 1
        text = text.replace(old, new)
        if number in (1, 5, 9, 10):
            assert list(failed("broken", tmp_path, text)) == pieces[number:]
    for whole in BROKEN:
        assert failed("broken", tmp_path, HEAD + whole) == {}


@pytest.mark.parametrize("name", EXERCISES)
def test_a_starter_gives_nothing_of_the_answer(name: str, tmp_path: Path) -> None:
    """It is Python in each language, of the same code, and passes no check."""
    texts = [starter(name, lang) for lang in languages()]
    code = [re.sub(r"(?m)^\s*#.*\n", "", text) for text in texts]
    assert code[0] == code[1]
    assert texts[0] != texts[1]
    assert present(texts[0]) == [EXERCISES[name]]
    assert len(failed(name, tmp_path, texts[0])) == len(EXERCISES[name].checks)


@pytest.mark.parametrize("lang", languages())
def test_everything_is_said_in_each_language(lang: str) -> None:
    known = catalogue(lang)
    for name, exercise in EXERCISES.items():
        assert len(exercise.hints(lang)) == 3
        for one in exercise.checks:
            words, part = words_of(name, one.name)
            assert {f"exercise.check.{words}", f"exercise.means.{words}", *([f"exercise.part.{part}"] if part else [])} <= known.keys()


# The process.


def asked(path: Path, text: str, **limits: Any) -> str:
    """What becomes of asking a file for its names and a loss."""
    file = path / "mine.py"
    file.write_text(text, encoding="utf-8")
    with Process(file, **limits) as process:
        try:
            process.ask("names")
            sizes = {"images": (2, 1, 2, 2), "logits": (2, 1, 2, 2), "mean": (2, 2), "log_var": (2, 2)}
            given = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
            return str(process.ask("call", given, function="loss", seed=0, of=None)[1]["out0"])
        except Failed as error:
            assert process.process is None or process.process.poll() is None
            return error.why.say("en")


def test_a_process_answers_as_the_file_does_and_ends_at_its_limits(tmp_path: Path) -> None:
    noisy = "import os, sys\nprint('x' * 10000)\nos.write(1, b'rubbish')\nsys.stderr.write('y')\n"
    assert asked(tmp_path, HEAD + noisy + RIGHT["vae-loss"][0]) == "[2.7725887 2.7725887]"
    assert "line 2" in asked(tmp_path, "import torch\nraise RuntimeError('no')\n")
    assert "SystemExit" in asked(tmp_path, "import sys\nsys.exit(0)\n")
    assert "more than 3.22 GB" in asked(tmp_path, "import os\nos._exit(0)\n")
    loop = "def loss(*given):\n    while True:\n        pass\n"
    assert asked(tmp_path, loop, seconds=1) == "no answer within 1 s"
    hog = "import torch\n\ndef loss(*given):\n    return torch.ones(1 << 30)\n"
    assert "DefaultCPUAllocator" in asked(tmp_path, hog, polled=False)
    patient = "import torch, time\n\ndef loss(*given):\n    x = torch.ones(1 << 28)\n    time.sleep(600)\n"
    assert asked(tmp_path, patient, polled=True, size=1 << 30, seconds=100) == "more than 1.07 GB of memory"


def test_a_file_that_claims_to_be_right_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import sys\n\ndef loss(*given):\n    return 0\n\n"
        "main = sys.modules['__main__']\n"
        "claim = lambda *given, **more: ({'passed': True, 'names': ['loss'], 'settings': {}, 'answers': {}}, {})\n"
        "main.OPERATIONS = dict.fromkeys(main.OPERATIONS, claim)\n",
        encoding="utf-8",
    )
    assert {one.passed for one in check(file)} <= {False, None}


# The commands.


def run(*words: str) -> int:
    return main(list(words))


def test_a_student_writes_is_told_trains_and_hands_in(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """From the starter to the teacher's table, where the checks run again and a claim that is not true is seen."""
    monkeypatch.chdir(tmp_path)
    assert run("exercise") == 0
    assert capsys.readouterr().out.split("\n")[0].startswith("encoder ")
    assert run("exercise", "encoder", "--out", "my_vae.py", "--lang", "fr") == 0
    assert run("exercise", "vae-loss", "--out", "my_vae.py") == 0
    before = Path("my_vae.py").read_bytes()
    for words in (("encoder",), ("gan-step",)):
        assert run("exercise", *words, "--out", "my_vae.py") == 2
    assert Path("my_vae.py").read_bytes() == before
    assert run("check", "my_vae.py") == 1
    out = capsys.readouterr().out
    assert "NotImplementedError" in out
    assert "0 of 21 checks hold" in out
    mistaken = wrong_text("vae-loss", *next(wrong[1:] for wrong in WRONG["vae-loss"] if wrong[0] == "loss-mean"))
    Path("my_vae.py").write_text(HEAD + "data = 'digits'\n" + RIGHT["encoder"][0] + mistaken, encoding="utf-8")
    assert run("check", "my_vae.py") == 1
    assert "✗ KL of μ = 2, σ = 1 in three units is 6 nats: 2.00, should be 6.00" in capsys.readouterr().out
    wrong = Path("my_vae.py").read_text(encoding="utf-8")
    Path("my_vae.py").write_text(HEAD + "data = 'digits'\n" + RIGHT["encoder"][0] + RIGHT["vae-loss"][0], encoding="utf-8")
    assert run("check", "my_vae.py", "--lang", "fr") == 0
    assert "21 vérifications sur 21" in capsys.readouterr().out
    assert run("train", "my_vae.py", "--steps", "2", "--batch-size", "16", "--threads", "1", "--out", "mine") == 0
    assert set(dict(ll.open_run("mine", trust=True).config.own)) == {"encoder", "loss"}
    assert run("report", "mine", "--out", "hand-in/mine.html", "--exercises", "my_vae.py") == 0
    page = Path("hand-in/mine.html").read_text(encoding="utf-8")
    assert "KL of μ = 2, σ = 1 in three units is 6 nats" in page
    capsys.readouterr()
    assert run("grade", "hand-in", "--check") == 0
    assert "exercises" not in capsys.readouterr().err
    table = Path("grades.csv").read_text(encoding="utf-8-sig")
    assert "encoder 10/10; vae-loss 11/11" in table
    # A record that was made up and sealed anew: the text is another one's.
    from latentlab.show.answers.record import open_report, seal

    record = json.loads(json.dumps(open_report(Path("hand-in/mine.html")).record))
    record["exercises"][0]["source"] = wrong
    bare = re.sub(
        r'<meta name="latentlab-checksum"[^>]*>|<script type="application/json" id="latentlab-record">.*?</script>',
        "",
        page,
        flags=re.DOTALL,
    )
    Path("hand-in/mine.html").write_text(seal(bare, record), encoding="utf-8")
    assert run("grade", "hand-in", "--check") == 0
    assert "the report says encoder 10/10; vae-loss 11/11, checked again encoder 10/10; vae-loss 9/11" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("exercise", "vae-los"), "an exercise must be one of encoder"),
        (("exercise", "encoder", "--out", "mine.txt"), "--out must be a file that ends in .py"),
        (("exercise", "encoder", "--framework", "jax"), "--framework must be one of torch, keras. Got 'jax'"),
        (("exercise", "--out", "mine.py"), "--out and --hint go with the NAME"),
        (("exercise", "encoder", "--hint", "9"), "--hint must be at most 3 for encoder. Got 9"),
        (("check", "nowhere.py"), "a file to check must be there"),
        (("check", "other.py"), "must be a file that defines what an exercise asks for. Got 'x'"),
        (("check", "other.py", "--only", "encoder"), "must be a file with encoder"),
        (("check", "torn.py"), "torn.py, line 1: "),
    ],
)
def test_wrong_input_is_one_line(
    words: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.py").write_text("x = 1\n")
    Path("torn.py").write_text("def (\n")
    assert run(*words) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.py", "torn.py"]


def test_hints_come_one_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("exercise", "vae-loss", "--hint") == 0
    first = capsys.readouterr()
    assert "hint 1 of 3" in first.out
    assert "--hint 2" in first.err
    assert run("exercise", "vae-loss", "--hint", "3", "--lang", "fr") == 0
    last = capsys.readouterr()
    assert "indice 3 sur 3" in last.out
    assert last.err == ""


# What a reader of the checks found: right ways that looked wrong, files that stopped the judge.

UNUSUAL = {
    "vae-step": [
        RIGHT["vae-step"][0].replace(
            "    return total\n", "    with torch.no_grad():\n        torch.sigmoid(decoder(mean))\n    return total\n"
        ),
        RIGHT["vae-step"][0].replace("decoder(z)", "decoder.forward(z)"),
        """
def vae_step(encoder, decoder, optimizer, images):
    optimizer.zero_grad()
    total = 0.0
    for some in images.chunk(2):
        mean, log_var = encoder(some)
        z = mean + (log_var / 2).exp() * torch.randn_like(mean)
        cross = F.binary_cross_entropy_with_logits(decoder(z), some, reduction="sum")
        part = (cross + 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum()) / len(images)
        part.backward()
        total += part.item()
    optimizer.step()
    return total
""",
    ],
    "sampling": ["def sample(mean, log_var):\n    return mean + torch.randn_like(mean) * (log_var.exp() + 1e-8).sqrt()\n"],
    "decoder": [
        """
from torch.nn.utils.parametrizations import orthogonal

def decoder():
    return nn.Sequential(orthogonal(nn.Linear(4, 784, bias=False)), nn.Unflatten(1, (1, 28, 28)))
"""
    ],
    "gan-step": [RIGHT["gan-step"][0].replace("return d_loss, g_loss", "return torch.stack([d_loss, g_loss])")],
}


@pytest.mark.parametrize(("name", "number"), [(name, number) for name, texts in UNUSUAL.items() for number in range(len(texts))])
def test_right_code_that_looks_wrong_passes(name: str, number: int, tmp_path: Path) -> None:
    assert failed(name, tmp_path, HEAD + UNUSUAL[name][number]) == {}


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    values = {name: f"np.float64({value})" for name, value in NUMBERS.items()}
    assert failed("derivations", tmp_path, "import numpy as np\n" + numbers(values)) == {}
    assert "number-kl" in failed("derivations", tmp_path, numbers(NUMBERS | {"kl": "10**400"}))


def test_what_is_half_there_is_said(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        HEAD + RIGHT["sampling"][0] + RIGHT["generator-discriminator"][0].replace("generator, discriminator = ", "generator, d = ")
    )
    seen = {one.exercise: one for one in check(file) if one.passed is False}
    assert [one.got.say("en") for one in seen.values()] == ["also to be written: discriminator"]


@pytest.mark.parametrize(
    "source", ["x = " + 100_000 * "-" + "1\n", "def loss(a):\n    return '\ud800'\n", "a" + 50_000 * ".b" + "\n", "\0"]
)
def test_no_hand_in_stops_the_judge(source: str) -> None:
    assert again(source) == {}


def test_a_neighbour_is_not_handed_in_and_takes_no_librarys_place(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("random.py").write_text("raise RuntimeError\n")
    Path("neighbour.py").write_text(HEAD + RIGHT["sampling"][0])
    Path("mine.py").write_text("from neighbour import sample\n")
    Path("answers.py").write_text(
        "from latentlab.lab.exercises.derivations import NUMBERS\nanswers = {key: f() for key, f in NUMBERS.items()}\n"
    )
    assert all(one.passed for one in check(Path("mine.py")))
    assert not any(passed for passed in handed(Path("mine.py"))["results"]["sampling"].values())
    assert {one.passed for one in check(Path("answers.py"))} == {False}


@pytest.mark.skipif(os.name == "nt", reason="sessions are POSIX's")
def test_a_process_that_a_file_leaves_behind_holds_nobody_up(tmp_path: Path, monkeypatch: Any) -> None:
    left = (
        "import os, subprocess, sys\nfor number in range(3, 20):\n    try:\n        os.set_inheritable(number, True)\n"
        "    except OSError:\n        pass\n"
        "kept = subprocess.Popen(['sleep', '1000'], start_new_session=True, close_fds=False)\n"
        "open('pid', 'w').write(str(kept.pid))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert asked(tmp_path, left + HEAD + RIGHT["vae-loss"][0]).startswith("[2.77")
    os.kill(int(Path("pid").read_text()), signal.SIGKILL)  # which is still there: nobody waited for its end

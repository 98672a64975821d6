"""Every command by subprocess, and wrong input on purpose: one line, exit status 2, nothing lost."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from commands import PATIENCE, TINY, refusal_here, run, run_here
from PIL import Image

from latentlab.cli import COMMANDS, main


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, Path]:
    """A small run of each family, by the command line: one by a process of its own."""
    root = tmp_path_factory.mktemp("runs")
    done = {name: root / name for name in ("conv-ae", "conv-vae", "sn-gan", "warm")}
    commands = {name: ["train", name, *TINY, "--epochs", "2", "--out", str(out)] for name, out in done.items()}
    commands["warm"] = ["train", "gan-from-vae", "--generator-from", str(done["conv-vae"]), "--steps", "4", "--threads", "1"]
    commands["warm"] += ["--batch-size", "16", "--out", str(done["warm"])]
    for name, words in commands.items():
        with redirect_stdout(io.StringIO()) as said:
            status = 0 if name == "conv-vae" else main(words)
        told = run(*words).stdout if name == "conv-vae" else said.getvalue()
        assert (status, told) == (0, f"{done[name]}\n")
    return done


def test_help_is_light_and_names_every_command() -> None:
    probe = "import sys; from latentlab.cli import main; main(['--help']); print(sorted(m for m in sys.modules if m in HEAVY))"
    heavy = {"torch", "numpy", "PIL", "sklearn", "matplotlib", "tqdm", "safetensors", "scipy"}
    done = subprocess.run([sys.executable, "-c", f"HEAVY = {heavy}; {probe}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert run("--version").stdout.startswith("latentlab 0")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert f"usage: latentlab {command}" in capsys.readouterr().out


def test_the_run_folder_is_as_the_contract_says(trained) -> None:
    path = trained["conv-vae"]
    for name in ("config.json", "environment.json", "status.json", "lock", "metrics.jsonl", "latents.npz", "thumbnails.png"):
        assert (path / name).is_file(), name
    assert {p.name for p in (path / "figures").glob("*.png")} >= {"loss.png", "kl.png", "latent.png", "samples.png", "reconstructions.png"}
    for kind in ("samples", "reconstructions"):
        assert (path / kind / "step-00000000.png").is_file()
        assert (path / kind / "step-00000012.png").is_file()
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        assert list(row)[:5] == ["step", "epoch", "images_seen", "seconds", "split"]
    assert {"loss_nats", "reconstruction_nats", "kl_nats", "gradient_norm"} <= set(next(r for r in rows if r["split"] == "train"))
    assert {"loss_nats", "reconstruction_nats", "kl_nats", "mse"} <= set(next(r for r in rows if r["split"] == "val"))
    assert rows[-1]["images_seen"] == 12 * 16
    assert rows[-1]["epoch"] == 2.0
    latents = np.load(path / "latents.npz")
    assert latents["mean"].shape == latents["std"].shape == (180, 2)
    assert latents["label"].shape == latents["index"].shape == (180,)
    manifest = json.loads((path / "checkpoints" / "step-00000012" / "MANIFEST.json").read_text())
    assert list(manifest)[-1] == "sha256"
    gan = {k for line in (trained["sn-gan"] / "metrics.jsonl").read_text().splitlines() for k in json.loads(line)}
    assert {"generator_loss", "discriminator_loss", "real_logit", "fake_logit", "gradient_norm"} <= gan


def test_sample_draws_a_grid_or_arrays_and_the_same_seed_draws_the_same(trained, tmp_path: Path, capsys) -> None:
    for name in ("conv-ae", "sn-gan"):
        run("sample", trained[name], "--count", 5, "--seed", 3, "--out", tmp_path / "a.npz")
        run_here(capsys, "sample", trained[name], "--count", 9, "--seed", 3, "--out", tmp_path / "b.npz")
        run_here(capsys, "sample", trained[name], "--count", 5, "--seed", 4, "--out", tmp_path / "c.npz")
        a, b, c = (np.load(tmp_path / f"{n}.npz")["images"] for n in "abc")
        assert a.dtype == np.uint8
        assert a.shape == (5, 28, 28, 1)
        assert np.array_equal(a, b[:5])
        assert not np.array_equal(a, c)
    for prior in ("gmm", "fitted"):
        run_here(capsys, "sample", trained["conv-vae"], "--count", 5, "--prior", prior, "--out", tmp_path / f"{prior}.png")
        assert picture(tmp_path / f"{prior}.png").ndim == 2
    assert not np.array_equal(picture(tmp_path / "gmm.png"), picture(tmp_path / "fitted.png"))


def test_pictures_and_codes(trained, tmp_path: Path, capsys) -> None:
    vae, gan = trained["conv-vae"], trained["sn-gan"]
    for command in (
        ["reconstruct", vae, "--split", "val", "--count", 6],
        ["interpolate", vae, "--indices", "0,3", "--steps", 5],
        ["interpolate", gan, "--seeds", "2,9"],
        ["traverse", vae, "--dims", "0,1", "--range", "3", "--scale", "3"],
        ["traverse", gan],
        ["traverse", trained["conv-ae"]],
    ):
        out = tmp_path / f"{command[0]}.png"
        assert run_here(capsys, *command, "--out", out) == f"{out}\n"
        assert picture(out).std() > 5
    run("encode", vae, "--split", "test", "--out", tmp_path / "e.npz")
    codes = np.load(tmp_path / "e.npz")
    assert codes["mean"].shape == codes["std"].shape == (180, 2)
    assert codes["labels"].shape == (180,)
    np.testing.assert_allclose(codes["mean"], np.load(vae / "latents.npz")["mean"], atol=1e-5)
    run_here(capsys, "encode", trained["conv-ae"], "--split", "val", "--out", tmp_path / "a.npz")
    assert "std" not in np.load(tmp_path / "a.npz")


def test_runs_show_verify_presets_doctor(trained, tmp_path: Path) -> None:
    listed = run("runs", trained["sn-gan"].parent).stdout
    assert all(str(path) in listed for path in trained.values())
    assert listed.count("finished") == 4
    shown = run("show", trained["conv-vae"]).stdout
    assert "finished at step 12" in shown
    assert "train.beta" in shown
    assert "data_fingerprint" in shown
    checked = run("verify", trained["warm"]).stdout
    assert "damaged" not in checked
    assert "checkpoints/step-00000004" in checked
    assert "model.latent_dim" in run("presets", "art-gan").stdout
    doctor = run("doctor", cwd=tmp_path).stdout
    assert "all is well" in doctor
    assert "threads" in doctor


def test_a_warm_generator_is_the_decoder_at_step_0(trained) -> None:
    from latentlab.runs import checkpoints
    from latentlab.train import open_run

    decoder = open_run(trained["conv-vae"]).networks()["decoder"].state_dict()
    tensors, _ = checkpoints.load(trained["warm"] / "checkpoints" / "step-00000000")
    for name, value in decoder.items():
        assert (tensors[f"generator.{name}"] == value.numpy()).all()
        assert (tensors[f"average.generator.{name}"] == value.numpy()).all()


def test_fields_by_dotted_name_reach_the_configuration(tmp_path: Path, capsys) -> None:
    run_here(
        capsys,
        "train", "conv-vae", *TINY, "--epochs", "1", "--hidden", "12,7", "--model.channels", "3,5", "--train.beta_warmup_steps", "4",
        "--model.binarization", "dynamic", "--beta", "0.5", "--train.ema-halflife-images", "64", "--out", tmp_path / "run",
    )  # fmt: skip
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model"] | {"hidden": [12, 7], "channels": [3, 5], "binarization": "dynamic"} == config["model"]
    assert config["train"] | {"beta_warmup_steps": 4, "beta": 0.5, "ema_halflife_images": 64, "threads": 1} == config["train"]


def test_the_default_folder_counts_up(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        told = run_here(capsys, "train", "mlp-ae", *TINY, "--steps", "1")
        assert told == f"runs/mlp-ae-digits-00{number}\n"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["nonsense"], ["'nonsense'", "one of lab, train"]),
        (["train"], ["needs a preset", "mlp-vae"]),
        (["train", "resnet"], ["'resnet'", "one of mlp-ae"]),
        (["train", "mlp-vae", "--epochs", "many"], ["--epochs", "'many'", "a number of more than 0"]),
        (["train", "mlp-vae", "--epochs", "0"], ["--epochs", "'0'"]),
        (["train", "mlp-vae", "--epochs", "nan"], ["--epochs", "'nan'"]),
        (["train", "mlp-vae", "--epochs"], ["--epochs", "expected one argument"]),
        (["train", "mlp-vae", "--epochs", "2", "--steps", "3"], ["epochs and steps were both given"]),
        (["train", "mlp-vae", "--batch-size", "1.5"], ["--batch-size", "'1.5'", "an integer of at least 1"]),
        (["train", "mlp-vae", "--latent-dim", "-3"], ["--latent-dim", "'-3'"]),
        (["train", "mlp-vae", "--hidden", "4,x"], ["--hidden", "'4,x'"]),
        (["train", "mlp-vae", "--latent-dimm", "3"], ["--latent-dimm", "Did you mean --latent-dim?"]),
        (["train", "mlp-vae", "--lat", "3"], ["--lat"]),
        (["train", "mlp-vae", "surplus"], ["'surplus'"]),
        (["train", "mlp-ae", "--beta", "2"], ["--beta", "not an option of mlp-ae"]),
        (["train", "sn-gan", "--learning-rate", "1"], ["of mlp-ae, mlp-vae", "It has --generator-learning-rate and --disc"]),
        (
            ["train", "sn-gan", "--beta", "4"],
            ["--beta 4 is not an option of sn-gan, but of mlp-vae, iwae-1layer, conv-vae, vae-gan, keras-vae, point-vae. `latentlab"],
        ),
        (["train", "mlp-vae", "--lr", "0.1"], ["Did you mean --learning-rate?"]),
        (["train", "mlp-vae", "--epochs", "1e308"], ["--epochs", "at most 1e+30"]),
        (["train", "mlp-vae", "--learning-rate", "1e-320"], ["--learning-rate", "more than 0. Got '1e-320'"]),
        (["train", "mlp-vae", "--train.ema-halflife-images", "9" * 26], ["--train.ema-halflife-images", "at most 1e+12"]),
        (["train", "mlp-vae", "--batch-size", "1", "--model.normalization", "batch"], ["--batch-size must be at least 2"]),
        (["train", "mlp-vae", "--data", "mnit"], ["--data must be digits", "Did you mean mnist?"]),
        (["sweep", "mlp-vae", "--data", "Fashion_MNIST"], ["--data must be", "Did you mean fashion-mnist?"]),
        (["lab", "--data", "CIFAR100"], ["--data must be"]),
        (["lab", "--out", "full"], ["--out must be a folder that is new, empty or of runs", "'full'"]),
        (["sweep", "mlp-vae", "--seeds", "2", "--out", "full"], ["--out must be a folder that is new, empty or of runs"]),
        (["sample", "nowhere"], ["a run must be", "'nowhere'"]),
        (["train", "mlp-vae", "--data", "cifar"], ["'cifar'", "digits, mnist"]),
        (["train", "mlp-vae", "--data", "folder:nowhere"], ["nowhere"]),
        (["train", "mlp-vae", "--data", "mnist", "--offline", "--data-root", "empty"], ["mnist", "empty"]),
        (["train", "mlp-vae", "--device", "cuda"], ["cuda", "cpu"]),
        (["train", "mlp-vae", "--device", "tpu"], ["'tpu'", "one of auto, cpu, cuda, mps"]),
        (["train", "mlp-vae", "--engine", "theano"], ["--engine", "'theano'", "torch", "keras"]),
        (["train", "mlp-vae", "--seed", "-1"], ["--seed", "'-1'"]),
        (["train", "gan-from-vae"], ["--generator-from"]),
        (["train", "gan-from-vae", "--generator-from", "nowhere"], ["'nowhere'", "config.json"]),
        (["train", "sn-gan", "--train.label-smoothing", "0.9"], ["--train.label-smoothing", "hinge"]),
        (["train", "mlp-vae", "--hidden", "16384,16384,16384"], ["parameters", "500,000,000"]),
        (["train", "mlp-vae", "--hidden", "999999999"], ["--hidden", "at most 16384"]),
        (["train", "conv-vae", "--model.channels", "4,4,4,4,4,4", "--model.stages", "exact"], ["model.channels", "28 x 28"]),
        (["resume", "nowhere"], ["'nowhere'"]),
        (["show"], ["RUN"]),
        (["verify", "nowhere"], ["'nowhere'"]),
        (["stop", "nowhere"], ["'nowhere'"]),
        (["runs", "nowhere"], ["'nowhere'"]),
        (["presets", "resnet"], ["'resnet'"]),
        (["data", "burn", "mnist"], ["'burn'", "fetch"]),
        (["data", "fetch", "digits"], ["digits"]),
        (["data", "fetch", "mnist", "--from", "http://127.0.0.1/", "--data-root", "here"], ["https"]),
        (["lab", "--lang", "de"], ["'de'", "one of en, fr"]),
        (["lab", "--data", "ring"], ["'ring'"]),
    ],
)
def test_wrong_input_is_one_line_that_names_it(arguments: list[str], parts: list[str], tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.png").write_bytes(b"a picture")
    monkeypatch.chdir(tmp_path)
    line = refusal_here(capsys, *arguments)
    for part in parts:
        assert part in line
    assert not list(tmp_path.rglob("config.json"))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["sample", "RUN", "--out", "a.gif"], ["'a.gif'", ".png or .npz"]),
        (["sample", "RUN"], ["--out"]),
        (["sample", "RUN", "--out", "/proc/a.png"], ["--out must be a file in a folder that can be written to"]),
        (["resume", "RUN", "--epochs", "1e308"], ["--epochs", "at most 1e+30"]),
        (["resume", "RUNS", "--epochs", "9"], ["a run must be one run", "It holds 4", "conv-ae"]),
        (["interpolate", "RUN", "--seeds", "-1,2", "--out", "a.png"], ["--seeds must be integers of at least 0. Got '-1,2'"]),
        (["sample", "RUN", "--count", "0", "--out", "a.png"], ["--count", "'0'"]),
        (["sample", "RUN", "--seed", "x", "--out", "a.png"], ["--seed", "'x'"]),
        (["sample", "RUN", "--label", "3", "--out", "a.png"], ["--label", "not conditional"]),
        (["sample", "RUN", "--prior", "flow", "--out", "a.png"], ["'flow'", "standard, gmm"]),
        (["sample", "GAN", "--prior", "gmm", "--out", "a.png"], ["no encoder"]),
        (["reconstruct", "GAN", "--out", "a.png"], ["no encoder"]),
        (["reconstruct", "RUN", "--split", "dev", "--out", "a.png"], ["'dev'", "train, val, test"]),
        (["interpolate", "RUN", "--indices", "0,99999", "--out", "a.png"], ["--indices", "0 to 179"]),
        (["interpolate", "RUN", "--seeds", "1", "--out", "a.png"], ["--seeds", "2 integers"]),
        (["interpolate", "RUN", "--seeds", "1,2", "--indices", "1,2", "--out", "a.png"], ["--indices", "not allowed with"]),
        (["interpolate", "RUN", "--steps", "1", "--out", "a.png"], ["--steps", "'1'"]),
        (["traverse", "RUN", "--dims", "3", "--out", "a.png"], ["--dims", "0 to 1"]),
        (["traverse", "RUN", "--range", "-1", "--out", "a.png"], ["--range", "'-1'"]),
        (["encode", "GAN", "--out", "a.npz"], ["no encoder"]),
        (["encode", "RUN", "--out", "a.png"], [".npz"]),
        (["resume", "RUN"], ["a larger total of epochs or steps"]),
        (["resume", "RUN", "--epochs", "1"], ["larger total"]),
        (["resume", "RUN", "--epochs", "x"], ["--epochs", "'x'"]),
        (["train", "mlp-vae", "--out", "RUN"], ["new or empty", "latentlab resume"]),
        (["train", "gan-from-vae", "--generator-from", "GAN"], ["a VAE or an autoencoder"]),
        (["train", "gan-from-vae", "--generator-from", "RUN", "--latent-dim", "7"], ["latent-dim", "7"]),
        (
            ["train", "gan-from-vae", "--generator-from", "RUN", "--data.image-size", "16", "--data", "digits"],
            ["--generator-from", "16 x 16"],
        ),
    ],
)
def test_wrong_input_for_a_run_is_one_line_that_names_it(
    arguments: list[str], parts: list[str], trained, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = {"RUN": str(trained["conv-vae"]), "GAN": str(trained["sn-gan"]), "RUNS": str(trained["sn-gan"].parent)}
    before = {p: p.stat().st_mtime_ns for p in trained["conv-vae"].rglob("*") if p.is_file()}
    line = refusal_here(capsys, *[runs.get(a, a) for a in arguments])
    for part in parts:
        assert part in line
    assert not list(tmp_path.iterdir())
    assert before == {p: p.stat().st_mtime_ns for p in trained["conv-vae"].rglob("*") if p.is_file()}


def test_what_is_said_of_a_run_that_is_not_wrong(trained, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["reconstruct", str(trained["conv-vae"]), "--count", "5000", "--out=~/all.png"]) == 0
    assert "has 180 images, fewer than 5,000" in capsys.readouterr().err
    assert (tmp_path / "all.png").is_file()
    assert main(["verify", str(trained["warm"].parent)]) == 0  # a folder of runs, as report takes it
    assert "sn-gan/checkpoints/step-00000012" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["sample", "--help"])
    help = capsys.readouterr().out
    assert "--label" in help
    assert "[--out FILE]" not in help


def test_a_train_command_without_a_standard_error_trains(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "latentlab", "train", "mlp-ae", *TINY, "--steps", "2", "--out", str(out)]
    done = subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *command], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, f"{out}\n")


def test_a_full_memory_is_one_line(capsys, monkeypatch) -> None:
    import latentlab.cli

    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")):
        monkeypatch.setattr(latentlab.cli, "_dispatch", lambda arguments, error=error: (_ for _ in ()).throw(error))
        assert "must fit into memory" in refusal_here(capsys, "sample", "x")


def test_wide_letters_and_narrow_terminals(monkeypatch, tmp_path: Path) -> None:
    import fcntl
    import os
    import struct
    import termios

    from latentlab.base.texts import aligned
    from latentlab.cli.train import Progress
    from latentlab.runs.folder import RunFolder
    from latentlab.train.events import Logged, Started

    rows = [["数字", "|"], ["cafe\u0301", "|"], ["abcd", "|"]]
    assert aligned(rows, (0, 1)) == ["数字  |", "cafe\u0301  |", "abcd  |"]
    assert aligned([*rows, ["a", "1"]], (1,), ruled=True) == ["数字  |", "────  ─", "cafe\u0301  |", "abcd  |", "   a  1"]
    seen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        progress = Progress("a-run-with-a-long-name-001", 100)
        progress.show(Started(RunFolder(tmp_path), 0, 500))
        progress.show(Logged({"split": "train", "loss_nats": 123.4}))
        progress.bar.refresh()
        shown = b""
        while b"123.4" not in shown:  # or the test never ends
            shown += os.read(seen, 10_000)
        progress.close()
    assert b"\r0%, loss 123.4" in shown


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("environment.json", "nonsense"),
        ("status.json", "7"),
        ("metrics.jsonl", "{}\nnot json\n{}\n"),
    ],
)
def test_a_run_that_was_tampered_with_is_refused_in_one_line(name: str, damage: str, trained, tmp_path: Path, capsys) -> None:
    path = tmp_path / "run"
    shutil.copytree(trained["conv-vae"], path)
    (path / name).write_text(damage)
    assert name in refusal_here(capsys, "show", path)
    assert main(["verify", str(path)]) == 2
    assert "damaged" in capsys.readouterr().out


def test_an_unknown_key_in_config_json_is_named(trained, tmp_path: Path, capsys) -> None:
    path = tmp_path / "run"
    shutil.copytree(trained["conv-vae"], path)
    values = json.loads((path / "config.json").read_text())
    values["train"]["dropout"] = 0.5
    (path / "config.json").write_text(json.dumps(values))
    assert "dropout" in refusal_here(capsys, "resume", path, "--epochs", "9")

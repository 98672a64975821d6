"""Rates that follow a schedule, gradients that are clipped, training that stops early; and all of it resumed bit for bit."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import TINY as WORDS
from commands import refusal, run
from test_learners import CPU, SHAPE, images, make
from test_resume import curves, final_sha256, stop_at

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.config.parts import AutoencoderTrain
from latentlab.lab.cells import Cell
from latentlab.lab.farm import Evaluation, state
from latentlab.lab.halving import value_at
from latentlab.measure.compare import comparison
from latentlab.models import build
from latentlab.models.learner import Moment, moved
from latentlab.models.optimiser import EPSILON, Adam, rate_scale
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.show.explorer import pack_network
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.start import create, reopen

pytestmark = pytest.mark.usefixtures("undrawn")
THREE = ("mlp-ae", "conv-vae", "sn-gan")


# The learning rate.


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {0: 1, 10**9: 1}),
        ({"warmup": 200}, {0: 0, 50: 0.25, 200: 1, 1000: 1}),
        ({"decay": 300}, {0: 1, 100: 0.75, 150: 0.5, 200: 0.25, 300: 0, 900: 0}),  # (1 + cos 60°) / 2 is three quarters
        ({"decay": 300, "final": 0.1}, {0: 1, 150: 0.55, 300: 0.1, 900: 0.1}),
        ({"halflife": 100}, {0: 1, 100: 0.5, 350: 2**-3.5}),
        ({"warmup": 200, "decay": 300, "halflife": 100}, {0: 0, 100: 0.5 * 0.75 * 0.5, 200: 0.25 * 0.25, 300: 0}),
    ],
)
def test_a_schedule_is_a_function_of_the_images_seen(fields: dict[str, float], expected: dict[int, float]) -> None:
    leaves = {name: f"rate_{name}{'' if name == 'final' else '_images'}" for name in fields}
    train = AutoencoderTrain(**{leaves[name]: value for name, value in fields.items()})
    assert {seen: rate_scale(train, seen) for seen in expected} == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", THREE)
def test_the_first_update_moves_each_weight_by_the_scheduled_rate(name: str, tiny) -> None:
    """Adam's first update moves a weight by the rate, whatever its gradient."""
    steps = {}
    for seen in (0, 50, 250):
        learner = make(tiny(name, rate_warmup_images=100, rate_decay_images=300, adam_beta1=0.9))
        adams = list(learner.parts.adams.values())
        weights = [p for adam in adams for _, p in adam.named]
        before = [p.detach().clone() for p in weights]
        learner.update(images(learner.images_per_step), Moment(0, seen))
        steps[seen] = max(float((p.detach() - old).abs().max()) for p, old in zip(weights, before, strict=True))
        assert {adam.scale for adam in adams} == {rate_scale(learner.parts.adams[next(iter(learner.parts.adams))].train, seen)}
    rate = learner.parts.adams[next(iter(learner.parts.adams))].learning_rate
    assert steps[0] == 0
    for seen, scale in ((50, 0.5 * 0.5 * (1 + math.cos(math.pi / 6))), (250, 0.5 * (1 + math.cos(math.pi * 5 / 6)))):
        assert steps[seen] == pytest.approx(rate * scale, rel=1e-3)


def test_metrics_tell_the_rate_of_the_last_step_and_a_change_multiplies(tiny, tmp_path: Path) -> None:
    schedule = {"train.rate_warmup_images": 160, "train.rate_decay_images": 288}
    session = create(tiny("mlp-ae", **schedule), tmp_path / "ae")
    for event in events(session):
        if isinstance(event, Stepped) and event.step == 7:
            session.folder.request("set", {"train.learning_rate": 5e-3})
    told = {row["step"]: row["learning_rate"] for row in curves(tmp_path / "ae") if row["split"] == "train" and "request" not in row}
    train = session.config.train
    expected = {step: (1e-3 if step <= 7 else 5e-3) * rate_scale(train, 16 * (step - 1)) for step in range(3, 19, 3)}
    assert told == pytest.approx(expected, rel=1e-12)
    assert session.engine.twin().adams["adam"].learning_rate * session.engine.twin().adams["adam"].scale == pytest.approx(told[18])
    gan = ll.train(tiny("sn-gan", **{"train.steps": 3, "train.rate_halflife_images": 32}), tmp_path / "gan")
    [row] = [row for row in gan.metrics() if row["split"] == "train"]
    assert (row["generator_learning_rate"], row["discriminator_learning_rate"]) == pytest.approx((5e-4, 5e-4))
    plain = ll.train(tiny("mlp-ae", **{"train.steps": 3}), tmp_path / "plain")
    assert not any("learning_rate" in row for row in plain.metrics())


def test_rates_that_end_before_the_run_are_told(tiny, tmp_path: Path) -> None:
    said = "the learning rates are 0 from 96 training images on"
    assert said in " ".join(create(tiny("mlp-ae", **{"train.rate_decay_images": 96}), tmp_path / "a").warnings)
    for more in ({"train.rate_final": 0.1}, {"train.steps": 6}):
        config = tiny("mlp-ae", **{"train.rate_decay_images": 96} | more)
        assert said not in " ".join(create(config, tmp_path / str(len(list(tmp_path.iterdir())))).warnings)


# Clipping.


def test_a_clipped_step_is_adam_s_with_the_shorter_gradient() -> None:
    """By hand in float64, two steps: the first is long, the second short, and Adam's means hold what was clipped."""
    gradients = np.array([[30.0, -40.0], [0.3, 0.4]])  # of norm 50 and 0.5
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    adam = Adam([("weight", weight)], 0.1, AutoencoderTrain(gradient_clip=5.0, adam_beta1=0.5, adam_beta2=0.9))
    w, mean, square = np.array([1.0, 2.0]), np.zeros(2), np.zeros(2)
    for step, (gradient, shorter) in enumerate(zip(gradients, [gradients[0] / 10, gradients[1]], strict=True), 1):
        weight.grad = torch.tensor(gradient, dtype=torch.float32)
        assert float(moved(adam, step, "test")) == pytest.approx(float(np.linalg.norm(gradient)))  # told as it was
        mean, square = 0.5 * mean + 0.5 * shorter, 0.9 * square + 0.1 * shorter**2
        w = w - 0.1 * (mean / (1 - 0.5**step)) / (np.sqrt(square / (1 - 0.9**step)) + EPSILON)
        np.testing.assert_allclose(weight.detach().numpy(), w, rtol=1e-5)
        np.testing.assert_allclose(weight.grad.numpy(), shorter, rtol=1e-6)


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("name", THREE)
def test_no_gradient_is_longer_than_the_clip_and_the_metric_tells_the_whole(name: str, shards: int, tiny) -> None:
    def once(clip: float):
        learner = build(tiny(name, gradient_clip=clip, shards=shards), SHAPE, CPU, False)
        losses = learner.update(images(learner.images_per_step), Moment(0, 0))
        lengths = {
            key: float(torch.cat([p.grad.flatten() for _, p in adam.named]).norm())
            for key, adam in learner.parts.adams.items()
            if all(p.grad is not None for _, p in adam.named)
        }
        return float(losses["gradient_norm"]), lengths, {key: value.clone() for key, value in learner.tensors().items()}

    norm, lengths, weights = once(0.0)
    clipped, shorter, _ = once(1e-3)
    assert min(lengths.values()) > 1e-3
    assert list(shorter.values()) == pytest.approx([1e-3] * len(lengths), rel=1e-4)
    if name != "sn-gan":  # whose generator is judged by what the discriminator has become
        assert clipped == norm
    wide = once(2 * max(norm, *lengths.values()))  # nothing is as long: not a bit is changed
    assert (wide[0], wide[1]) == (norm, lengths)
    assert all(torch.equal(wide[2][key], value) for key, value in weights.items())


# Early stopping. With a rate of 0 from image 192 on the val loss stays as it is, to the bit, where no average follows.

STILL = {
    "train.rate_decay_images": 192,
    "train.ema_halflife_images": 0,
    "train.patience_evaluations": 3,
    "train.epochs": 20.0,
    "train.gradient_clip": 1.0,
    "train.rate_warmup_images": 64,
}


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    """A run that stopped early, never interrupted."""
    from conftest import FAMILIES, TINY

    return ll.train(ll.preset("mlp-ae", **TINY | FAMILIES["mlp-ae"] | STILL), tmp_path_factory.mktemp("early") / "run")


def test_a_run_stops_when_its_lowest_loss_is_so_many_evaluations_old(early) -> None:
    losses = {row["step"]: row["loss_nats"] for row in early.metrics() if row["split"] == "val"}
    assert list(losses) == [0, 6, 12, 18, 24, 30]
    assert losses[12] == losses[18] == losses[30] == min(losses.values()) < losses[6]
    status, state = early.status(), checkpoints.read_state(checkpoints.newest(early.path / "checkpoints", print))
    assert (status["state"], status["step"]) == ("finished", 30)
    assert status["message"].startswith(
        "stopped early: the val loss was lowest at step 12, 3 evaluations ago; the best checkpoint is step-00000012."
    )
    assert (state["best_step"], state["lowest_step"], state["stale"]) == (12, 12, 3)
    assert (early.path / "checkpoints" / "step-00000012").is_dir()
    assert (early.path / "latents.npz").is_file()  # as of any run that is finished


@pytest.mark.parametrize("stops", [(2, 11), (12, 13, 24), (29,)])
def test_an_interrupted_run_stops_at_the_same_step_with_the_same_bits(stops: tuple[int, ...], early, tiny, tmp_path: Path) -> None:
    stop_at(create(tiny("mlp-ae", **STILL), tmp_path / "run"), stops[0])
    for step in stops[1:]:
        stop_at(reopen(tmp_path / "run"), step)
    again = ll.resume(tmp_path / "run")
    assert final_sha256(again.path) == final_sha256(early.path)
    assert curves(again.path) == curves(early.path)
    assert again.status()["message"] == early.status()["message"]


@pytest.mark.parametrize("at", [19, 29, 30])
def test_a_killed_run_counts_on_from_its_checkpoint(at: int, early, tiny, tmp_path: Path) -> None:
    config = tiny("mlp-ae", **STILL | {"train.checkpoint_seconds": 99.0})  # none but those of the lowest losses
    session = create(config, tmp_path / "run")
    for event in events(session):
        if isinstance(event, Stepped) and event.step == at:
            shutil.copytree(session.folder.path, tmp_path / "killed")
    assert checkpoints.newest(tmp_path / "killed" / "checkpoints", print).name == "step-00000012"
    ll.resume(tmp_path / "killed")
    assert curves(tmp_path / "killed") == curves(early.path)
    assert RunFolder(tmp_path / "killed").status()["message"] == early.status()["message"]
    assert final_sha256(tmp_path / "killed") == final_sha256(tmp_path / "run")


def test_one_that_was_killed_between_its_stop_and_its_last_word_is_finished(early, tmp_path: Path) -> None:
    shutil.copytree(early.path, tmp_path / "run")
    RunFolder(tmp_path / "run").write_status("running", 30)
    again = ll.resume(tmp_path / "run")
    assert (again.status()["state"], again.status()["message"]) == ("finished", early.status()["message"])
    assert curves(again.path) == curves(early.path)


def test_a_longer_total_stops_as_early_and_a_larger_patience_goes_on_as_if_it_had_been_so(early, tiny, tmp_path: Path) -> None:
    shutil.copytree(early.path, tmp_path / "run")
    for more in ({}, {"learning_rate": 1e-2}):
        with pytest.raises(LabError, match=r"run: stopped early: .* A larger --train\.patience-evaluations goes on"):
            ll.resume(tmp_path / "run", **more)
    longer = ll.resume(tmp_path / "run", epochs=30)
    assert (longer.status()["step"], longer.config.train.epochs, longer.status()["state"]) == (30, 30.0, "finished")
    assert longer.status()["message"] == early.status()["message"]
    assert curves(longer.path) == curves(early.path)
    patient = ll.resume(tmp_path / "run", patience_evaluations=5)
    straight = ll.train(tiny("mlp-ae", **STILL | {"train.patience_evaluations": 5, "train.epochs": 30.0}), tmp_path / "straight")
    assert patient.status()["step"] == straight.status()["step"] == 42
    assert final_sha256(patient.path) == final_sha256(straight.path)
    assert curves(patient.path) == curves(straight.path)
    assert patient.config == straight.config
    whole = ll.resume(tmp_path / "run", epochs=8, patience_evaluations=0)
    assert (whole.step, whole.status()["message"]) == (48, "")


def test_a_run_that_learns_or_has_no_patience_is_not_stopped(tiny, tmp_path: Path) -> None:
    learns = ll.train(tiny("mlp-ae", **{"train.patience_evaluations": 1}), tmp_path / "learns")
    assert (learns.step, learns.status()["message"], learns.state["stale"]) == (18, "", 0)
    never = ll.train(tiny("mlp-ae", **STILL | {"train.patience_evaluations": 0, "train.epochs": 7.0}), tmp_path / "never")
    assert (never.step, never.state["stale"]) == (42, 5)


def test_one_that_is_stopped_before_its_first_step_counts_its_first_evaluation_once(tiny, tmp_path: Path) -> None:
    config = tiny("mlp-ae", **{"train.learning_rate": 1e-30, "train.ema_halflife_images": 0, "train.patience_evaluations": 2})
    for _ in range(2):
        session = reopen(tmp_path / "run") if (tmp_path / "run").exists() else create(config, tmp_path / "run")
        session.folder.request("set", {"train.learning_rate": 2e-30})
        session.folder.request("stop")
        list(events(session))
    ended = ll.resume(tmp_path / "run")
    assert (ended.status()["step"], ended.step, ended.state["lowest_step"]) == (12, 0, 0)
    assert "the best checkpoint is step-00000000" in ended.status()["message"]


def test_a_run_that_stopped_early_is_sampled_from_its_best_checkpoint(tiny, tmp_path: Path) -> None:
    run = ll.train(tiny("mlp-ae", **{"train.learning_rate": 0.02, "train.patience_evaluations": 1, "train.epochs": 60.0}), tmp_path / "run")
    losses = {row["step"]: row["loss_nats"] for row in run.metrics() if row["split"] == "val"}
    best = min(losses, key=lambda step: losses[step])
    assert run.status()["step"] > best == run.step > 0
    last = checkpoints.newest(run.path / "checkpoints", print)
    shutil.copytree(run.path, tmp_path / "as it was")
    checkpoints.forget(tmp_path / "as it was" / "checkpoints", best)
    then, images = ll.open_run(tmp_path / "as it was"), run.data().test.take(slice(8))
    np.testing.assert_array_equal(run.sample(4), then.sample(4))
    assert (run.sample(4) != run.sample(4, seed=1)).any()
    for name in ("decoder", "encoder"):
        assert pack_network(run.folder, name) == pack_network(then.folder, name)
    with np.load(run.path / "latents.npz") as kept:
        np.testing.assert_array_equal(kept["mean"][:8], run.encode(images).mean)
    # What is measured is that one, and counts as measured.
    evaluation = Evaluation(count=40, nll_samples=2, nll_images=4)
    run.evaluate(**evaluation.arguments(), extractors="random-convolutions")
    assert run.scores["step"] == best
    assert state(Cell.of(run.path, run.config), evaluation) == "measured"
    assert comparison({"run": run.folder})["runs"]["run"]["trained_on_to"] is None
    shutil.rmtree(run.path / "checkpoints" / checkpoints.folder_name(best))  # then the newest is all there is
    assert ll.open_run(run.path).step == checkpoints.step_of(last)


def test_its_best_checkpoint_may_lie_within_a_log_window(tiny, tmp_path: Path) -> None:
    run = ll.train(tiny("mlp-ae", **STILL | {"train.log_steps": 7}), tmp_path / "run")
    assert (run.status()["state"], run.status()["step"], run.step) == ("finished", 30, 12)
    tensors, _ = checkpoints.load(run.path / "checkpoints" / "step-00000012")
    assert any(name.startswith(checkpoints.WINDOW) for name in tensors)
    with np.load(run.path / "latents.npz") as kept:
        np.testing.assert_array_equal(kept["mean"][:8], run.encode(run.data().test.take(slice(8))).mean)


def test_halving_ranks_a_run_that_stopped_early_by_what_it_is_sampled_from(early) -> None:
    cell = Cell.of(early.path, early.config)
    assert value_at(early.folder, cell) == next(row["mse"] for row in early.metrics() if row["split"] == "val" and row["step"] == 12)
    without = Cell.of(early.path, early.config.replace(patience_evaluations=0))
    assert value_at(early.folder, without) == math.inf


# By the command.


def test_the_command_schedules_clips_stops_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "run"
    fields = {"rate-decay-images": 192, "ema-halflife-images": 0, "patience-evaluations": 2, "gradient-clip": 1}
    words = [word for name, value in fields.items() for word in (f"--train.{name}", value)]
    done = run("train", "mlp-ae", *WORDS, *words, "--epochs", 20, "--out", path)
    assert "run: finished at step 24. stopped early: the val loss was lowest at step 12" in done.stderr
    assert "finished at step 24. stopped early: the val loss was lowest" in run("show", path).stdout
    assert refusal("resume", path).startswith(f"latentlab: {path}: stopped early: ")
    run("resume", path, "--train.patience-evaluations", 3)
    assert RunFolder(path).status()["step"] == 30
    said = refusal("train", "sn-gan", "--train.patience-evaluations", 3, "--out", tmp_path / "gan")
    assert "is not an option of sn-gan, but of mlp-ae" in said

"""Checks of a VAE's parts: sampling, the loss in closed form, one step of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from latentlab.lab.exercises.checks import Check, Judged, arrays, compared, is_normal, named, normal, said, shapes, value
from latentlab.lab.exercises.operations import Arrays, linear_vae
from latentlab.lab.exercises.process import Student

ROWS, RATE = 20_000, 0.05
STEP_SIZE = 0.02  # in float32: truncation and rounding are alike

# sample(mean, log_var)


def drawn(student: Student, mean: np.ndarray, log_var: np.ndarray, seed: int = 0, of: int | None = None) -> Arrays:
    """What the file draws, as float32."""
    return student.ask("call", {"mean": mean, "log_var": log_var}, function="sample", seed=seed, of=of)[1]


def sample_shape(student: Student) -> Judged:
    """z has the shape of the mean, and nothing else comes with it."""
    for size in ((2, 3), (7, 5), (1, 1)):
        got = [each.shape for each in drawn(student, normal(*size), normal(*size, seed=1)).values()]
        if got != [size]:
            return shapes(got, [size])
    return shapes([(7, 5)], [(7, 5)])


def noise_of(student: Student) -> np.ndarray:
    """(z − μ) / σ of many draws: float64 [N, 3]."""
    mean, log_var = np.array([1.5, -2.0, 0.3], np.float32), np.array([-1.0, 1.0, 0.0], np.float32)
    z = drawn(student, np.tile(mean, (ROWS, 1)), np.tile(log_var, (ROWS, 1)))["out0"]
    noise: np.ndarray = (z.astype(float) - mean) / np.exp(log_var / 2)
    return noise


def sample_noise(student: Student) -> Judged:
    """(z − μ) / σ is standard normal, and another one for each row and unit."""
    return is_normal(noise_of(student))


def sample_deviation(student: Student) -> Judged:
    """The deviation of z is exp(log_var / 2)."""
    noise = noise_of(student)
    spread = noise.std(0)
    passed = float(np.abs(spread - 1).max()) <= 5 / (2 * ROWS) ** 0.5
    return said(passed, "deviation", **dict(zip("abc", map(float, spread), strict=True)))


def sample_anew(student: Student) -> Judged:
    """Two calls draw other noise."""
    mean, log_var = normal(4, 3), normal(4, 3, seed=1)
    once, again = (drawn(student, mean, log_var, seed)["out0"] for seed in (0, 1))
    return said(not np.allclose(once, again), "apart" if not np.allclose(once, again) else "alike")


def sample_derivative(student: Student) -> Judged:
    """∂z/∂μ = 1 and ∂z/∂log_var = (z − μ) / 2 (Kingma & Welling 2014, section 2.4)."""
    mean, log_var = normal(16, 3), normal(16, 3, seed=1)
    found = drawn(student, mean, log_var, of=0)
    if not {"by_mean", "by_log_var"} <= found.keys():
        return said(False, "no-gradient")
    passed, got = arrays(found["by_mean"], np.ones((16, 3)))
    return arrays(found["by_log_var"], (found["out0"] - mean) / 2) if passed else (passed, got)


def sample_narrow(student: Student) -> Judged:
    """With a variance of almost nothing z is the mean."""
    mean = normal(5, 3)
    return arrays(drawn(student, mean, np.full_like(mean, -60))["out0"], mean, 1e-3)  # some add 1e-8 under a root


SAMPLING = named(sample_shape, sample_deviation, sample_noise, sample_anew, sample_derivative, sample_narrow)

# loss(images, logits, mean, log_var)


def nats(student: Student, given: Mapping[str, np.ndarray], of: int | None = None) -> Arrays:
    """What the file's loss gives."""
    ordered = {name: given[name].astype(np.float32) for name in ("images", "logits", "mean", "log_var") if name in given}
    return student.ask("call", ordered, function="loss", seed=0, of=of)[1]


def batch(count: int = 6, size: tuple[int, int, int] = (3, 4, 5), units: int = 3) -> Arrays:
    """Random images of this size, logits, means and log-variances."""
    random = np.random.default_rng(count)
    sizes = {"logits": (count, *size), "mean": (count, units), "log_var": (count, units)}
    return {"images": random.random((count, *size))} | {name: random.standard_normal(size) for name, size in sizes.items()}


def reference(images: np.ndarray, logits: np.ndarray, mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Binary cross-entropy plus KL in nats, float64 [N] (Kingma & Welling 2014, equation 10)."""
    x, t, m, lv = (np.asarray(each, float) for each in (images, logits, mean, log_var))
    cross = np.maximum(t, 0) - t * x + np.log1p(np.exp(-np.abs(t)))
    total: np.ndarray = cross.reshape(len(x), -1).sum(1) + 0.5 * (m**2 + np.exp(lv) - 1 - lv).sum(1)
    return total


def at_rest(count: int, size: tuple[int, int, int], units: int) -> Arrays:
    """A batch whose KL is 0."""
    return batch(count, size, units) | {"mean": np.zeros((count, units)), "log_var": np.zeros((count, units))}


def loss_shape(student: Student) -> Judged:
    """One number for each image, also for one."""
    got = [array.shape for count in (6, 1) for array in nats(student, batch(count)).values()]
    return shapes(got, [(6,), (1,)])


def blank(student: Student, size: tuple[int, int, int]) -> float:
    """What logits of 0 cost."""
    given = at_rest(2, size, 3)
    return float(nats(student, given | {"logits": given["logits"] * 0})["out0"].mean())


def loss_pixels(student: Student) -> Judged:
    """Logits of 0 cost ln 2 a pixel, summed: 48 pixels more 48 ln 2 more."""
    return value(blank(student, (2, 8, 4)) - blank(student, (1, 4, 4)), 48 * math.log(2))


def loss_rest(student: Student) -> Judged:
    """KL(N(0, 1) ‖ N(0, 1)) is 0: 16 pixels cost 16 ln 2 and no more."""
    return value(blank(student, (1, 4, 4)), 16 * math.log(2))


def loss_targets(student: Student) -> Judged:
    """A white pixel (1) at logit −3 costs 3.05 nats, a black one 0.05."""
    given = at_rest(1, (1, 1, 1), 1)
    for x, must in ((1.0, math.log1p(math.exp(3))), (0.0, math.log1p(math.exp(-3)))):
        at = given | {"images": np.full((1, 1, 1, 1), x)}
        low, none = (float(nats(student, at | {"logits": np.full((1, 1, 1, 1), logit)})["out0"].mean()) for logit in (-3.0, 0.0))
        passed, got = value(low - none + math.log(2), must, 1e-3)
        if not passed:
            break
    return passed, got


def loss_certain(student: Student) -> Judged:
    """Certain and right costs nothing: 16 ln 2 less than knowing nothing."""
    given = at_rest(2, (1, 4, 4), 3)
    x = (given["images"] > 0.5).astype(float)
    sure, none = (float(nats(student, given | {"images": x, "logits": scale * (x - 0.5)})["out0"].mean()) for scale in (40, 0))
    return value(sure - none + 16 * math.log(2), 0.0, 1e-3)


def kl_alone(student: Student, mean: float, log_var: float, units: int) -> float:
    """The loss less that of the same images without KL."""
    rest = at_rest(2, (1, 4, 4), units)
    at = {"mean": np.full((2, units), mean), "log_var": np.full((2, units), log_var)}
    return float(nats(student, rest | at)["out0"].mean() - nats(student, rest)["out0"].mean())


def loss_mean(student: Student) -> Judged:
    """KL(N(2, 1) ‖ N(0, 1)) in three units is 6 nats."""
    return value(kl_alone(student, 2.0, 0.0, 3), 6.0, 1e-3)


def loss_variance(student: Student) -> Judged:
    """KL(N(0, e) ‖ N(0, 1)) in one unit is (e − 2) / 2; far from it too."""
    for log_var in (1.0, 6.0, -6.0):
        passed, got = value(kl_alone(student, 0.0, log_var, 1), (math.exp(log_var) - 1 - log_var) / 2, 1e-3)
        if not passed:
            break
    return passed, got


def loss_whole(student: Student) -> Judged:
    """Random values: the sum of both terms."""
    given = batch(6)
    return arrays(nats(student, given)["out0"], reference(**given), 1e-4)


def loss_alone(student: Student) -> Judged:
    """An image's loss is the same alone."""
    given = batch(6)
    together = nats(student, given)["out0"]
    alone = [float(nats(student, {name: each[row : row + 1] for name, each in given.items()})["out0"].sum()) for row in range(6)]
    return arrays(np.broadcast_to(together, (6,)), alone)


def loss_finite(student: Student) -> Judged:
    """Logits of ±200 and log-variances of ±20 cost a finite number."""
    given = batch(2)
    extreme = given | {"logits": np.where(given["images"] > 0.5, -200.0, 200.0)}
    for at in (extreme, *(given | {"log_var": np.full((2, 3), side)} for side in (-20.0, 20.0))):
        if not np.isfinite(nats(student, at)["out0"]).all():
            return said(False, "finite")
    return said(True, "own")


def loss_gradients(student: Student) -> Judged:
    """The gradient by logits, mean and log-variance is that of the value: of a step to either side, whatever the value is."""
    given, random = batch(6), np.random.default_rng(1)
    found = nats(student, given, of=0)
    for name in ("logits", "mean", "log_var"):
        if f"by_{name}" not in found:
            return said(False, "no-gradient")
        way = random.standard_normal(given[name].shape)
        up, down = (float(nats(student, given | {name: given[name] + side * STEP_SIZE * way})["out0"].sum()) for side in (1, -1))
        slope = float((found[f"by_{name}"] * way).sum())
        passed, got = value(slope, (up - down) / (2 * STEP_SIZE), 0.02)
        if not passed:
            break
    return passed, got


LOSS = named(
    loss_shape, loss_pixels, loss_rest, loss_targets, loss_certain, loss_mean, loss_variance, loss_whole, loss_alone, loss_finite,
    loss_gradients,
)  # fmt: skip

# vae_step(encoder, decoder, optimizer, images)


def setting(log_var: float, alike: bool = False, count: int = 8, steps: int = 2) -> Arrays:
    """A linear VAE of 4 pixels and 2 units, whose log-variance is about `log_var`, and images; `alike`: all the same."""
    random = np.random.default_rng(5)
    arrays = {"mean": random.normal(0, 0.7, (2, 5)), "log_var": random.normal(0, 0.3, (2, 5)), "decoder": random.normal(0, 0.7, (4, 3))}
    arrays["log_var"][:, -1] = log_var
    arrays["images"] = np.tile(random.random((1, 1, 1, 2, 2)), (steps, count, 1, 1, 1)) if alike else random.random((steps, count, 1, 2, 2))
    return {name: each.astype(np.float32) for name, each in arrays.items()}


def stepped(student: Student, given: Arrays, seed: int = 0) -> tuple[dict[str, Any], Arrays]:
    """The file's steps on it, and its codes in order as "codes" [K, N, 2]."""
    told, found = student.ask("vae_step", given, rate=RATE, seed=seed)
    return told, found | {"codes": np.stack([found[f"code{step}"] for step in range(len(given["images"]))])}


def right_steps(given: Arrays, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights after each right step with the noise that these codes were drawn with, and the losses.

    The noise is (z − μ) / σ at the weights that the step began with: whatever the file calls noise.
    """
    import torch
    from torch.nn import functional as F

    encoder, decoder = linear_vae(given)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer, after, losses = torch.optim.SGD(weights, RATE), [], []
    for images, code in zip(given["images"], codes, strict=True):
        x = torch.from_numpy(images.copy())
        mean, log_var = encoder(x)
        noise = ((torch.from_numpy(code) - mean) / (log_var / 2).exp()).detach()
        logits = decoder(mean + (log_var / 2).exp() * noise)
        cross = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
        loss = (cross + 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        after.append(np.concatenate([weight.detach().numpy().ravel() for weight in weights]))
    return np.stack(after), np.array(losses)


def step_once(student: Student) -> Judged:
    """One update for each batch, which moves both networks."""
    told, found = stepped(student, setting(0.0))
    moved = np.abs(found["weights"][1] - found["weights"][0]) > 0
    parts = {"encoder": moved[:20].any(), "decoder": moved[20:].any()}
    still = [name for name, ok in parts.items() if not ok]
    if still:
        return said(False, "still", part=still[0])
    return told["updates"] == 2, compared(told["updates"] == 2, told["updates"], 2)


def step_mode(student: Student) -> Judged:
    """Both networks stay in training mode."""
    training = stepped(student, setting(0.0))[0]["training"]
    return said(all(training), "own" if all(training) else "mode")


def step_loss(student: Student) -> Judged:
    """What it returns is the loss of the batch: the mean over its images of both terms."""
    given = setting(0.0)
    found = stepped(student, given)[1]
    return value(float(found["losses"].ravel()[0]), float(right_steps(given, found["codes"])[1][0]), 1e-3)


def step_first(student: Student) -> Judged:
    """The first update follows the gradient of that loss."""
    given = setting(0.0)
    found = stepped(student, given)[1]
    return arrays(found["weights"][1], right_steps(given, found["codes"])[0][0])


def step_second(student: Student) -> Judged:
    """The second one too: nothing is left of the first one's gradient."""
    given = setting(0.0)
    found = stepped(student, given)[1]
    moved, right = np.diff(found["weights"], axis=0), right_steps(given, found["codes"])[0]
    return arrays(moved[1] / RATE, (right[1] - right[0]) / RATE)


def step_noise(student: Student) -> Judged:
    """z is drawn with standard normal noise, another one for each image."""
    given = setting(-0.5, count=4000)
    found = stepped(student, given)[1]
    return is_normal(_noise(given, found["codes"][0]))


def _noise(given: Arrays, codes: np.ndarray) -> np.ndarray:
    x = given["images"][0].reshape(len(codes), 4)
    mean, log_var = (x @ given[name][:, :-1].T + given[name][:, -1] for name in ("mean", "log_var"))
    noise: np.ndarray = (codes - mean) / np.exp(log_var / 2)
    return noise


def step_anew(student: Student) -> Judged:
    """Each step draws other noise."""
    codes = stepped(student, setting(0.0, alike=True, count=200))[1]["codes"]  # of equal images, so that noise alone tells rows apart
    once, again = (each - each.mean(0) for each in codes)
    same = bool((once * again).sum() > 0.9 * (once**2).sum())
    return said(not same, "alike" if same else "apart")


def step_encoder(student: Student) -> Judged:
    """Where the noise is nothing, the reconstruction teaches the encoder: the update has its closed form."""
    given = setting(-30.0)
    found = stepped(student, given)[1]
    right = right_steps(given, found["codes"])[0][0]
    return arrays(found["weights"][1][:10], right[:10])


STEP = [
    *named(step_once, step_loss, step_noise, step_anew, step_encoder, step_first),
    *named(step_second, after=("step-first",)),
    Check("step-mode", step_mode, "gan-mode"),
]

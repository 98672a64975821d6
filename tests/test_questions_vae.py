from __future__ import annotations

import dataclasses
import importlib
import io
import math
from string import Formatter

import numpy as np
import pytest
import torch
from fakeruns import KID_TOLD
from PIL import Image

from latentlab.base.images import Images
from latentlab.base.texts import catalogue, languages
from latentlab.config.networks import networks
from latentlab.config.parts import VAEModel
from latentlab.config.presets import preset
from latentlab.lab.kit import larger, summary, tied_best, together
from latentlab.lab.questions import kl, latent_dim, reparameterization
from latentlab.lab.questions.reparameterization.estimators import (
    ESTIMATORS,
    LinearGaussian,
    blocked,
    draw,
    expectation,
    flat_gradient,
    log_density,
    others_mean,
    posterior_matrix,
    principal,
    score,
    trace_variance,
)
from latentlab.lab.questions.reparameterization.measures import AVERAGED, compared, excess_over_noise, log_ratios, shrink, update, variance
from latentlab.lab.questions.views import aggregate, gaussian_kl_nats, needed_units, strip, variance_shares
from latentlab.models import build
from latentlab.models.learner import Moment
from latentlab.models.nets import Posterior
from latentlab.models.vae import VAELearner
from latentlab.show.card import FORMULAS, NAMES, Card, options, read_card

MINE = ("reparameterization", "kl", "latent-dim")


def gaussian(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def linear(images: int = 6, pixels: int = 5, units: int = 2) -> tuple[LinearGaussian, torch.Tensor, Posterior]:
    model = LinearGaussian(gaussian(pixels, units, seed=1), gaussian(pixels, seed=2), 0.7)
    q = Posterior(gaussian(images, units, seed=3).requires_grad_(), (0.3 * gaussian(images, units, seed=4)).requires_grad_())
    return model, gaussian(images, pixels, seed=5), q


def expected(model: LinearGaussian, x: torch.Tensor, q: Posterior) -> torch.Tensor:
    """E_q [log p(x|z)] in closed form, [N]: log p(x|μ) − 1/(2 s²) Σ_j σ_j² |W_j|²."""
    spread = (q.log_var.exp() * model.weight.square().sum(0)).sum(-1)
    return model.log_likelihood(x, q.mean) - 0.5 * spread / model.variance


def test_the_exact_gradient_is_the_derivative_of_the_exact_expectation():
    model, x, q = linear()
    by_mean, by_log_var = torch.autograd.grad(expected(model, x, q).sum(), [q.mean, q.log_var])
    exact = model.exact_gradient(x, q)
    torch.testing.assert_close(exact.mean, by_mean)
    torch.testing.assert_close(exact.log_var, by_log_var)


def test_the_linear_likelihood_and_its_expectation_are_those_of_a_gaussian():
    model, x, q = linear()
    z = gaussian(6, 2, seed=6)
    normal = torch.distributions.Normal(z @ model.weight.T + model.offset, math.sqrt(model.variance))
    torch.testing.assert_close(model.log_likelihood(x, z), normal.log_prob(x).sum(1))
    draws = gaussian(200_000, 6, 2, seed=7)
    sampled = model.log_likelihood(x, draw(q, draws))
    assert ((sampled.mean(0) - expected(model, x, q)).abs() < 5 * sampled.std(0) / math.sqrt(200_000)).all()


def test_the_principal_decoder_has_the_covariance_of_its_images():
    x = gaussian(400, 3, seed=8) @ gaussian(3, 6, seed=9) + 0.1 * gaussian(400, 6, seed=10)
    model = principal(x, 3)
    fitted = model.weight @ model.weight.T + model.variance * torch.eye(6, dtype=torch.float64)
    covariance = torch.cov(x.T)
    torch.testing.assert_close(torch.linalg.eigvalsh(fitted)[3:], torch.linalg.eigvalsh(covariance)[3:])
    assert float(torch.trace(fitted)) == pytest.approx(float(torch.trace(covariance)))


def test_the_gradient_is_zero_where_the_encoder_is_the_exact_posterior():
    model, x, _ = linear()
    mean = (x - model.offset) @ posterior_matrix(model).T
    by_mean = model.exact_gradient(x, Posterior(mean, torch.zeros_like(mean))).mean
    torch.testing.assert_close(by_mean, mean)  # what the KL term, whose derivative is μ, takes away again


def test_the_log_density_is_that_of_a_gaussian():
    _, _, q = linear()
    z = gaussian(6, 2, seed=11)
    normal = torch.distributions.Normal(q.mean, (0.5 * q.log_var).exp())
    torch.testing.assert_close(log_density(q, z), normal.log_prob(z).sum(1))


@pytest.mark.parametrize("name", ["pathwise", "score", "score-baseline"])
def test_an_estimator_is_unbiased_and_tells_the_same_value(name):
    model, x, q = linear()
    draws, count = gaussian(100_000, 6, 2, seed=12), 100_000
    mean, log_var = (part.detach().expand(count, -1, -1).clone().requires_grad_() for part in q)
    per_draw = Posterior(mean.transpose(0, 1), log_var.transpose(0, 1))  # the batch first: the baseline is over its images
    value = expectation(name, per_draw, draws.transpose(0, 1), lambda z: model.log_likelihood(x, z.transpose(0, 1)).T)
    torch.testing.assert_close(value.T, model.log_likelihood(x, draw(q, draws)))
    found = torch.autograd.grad(value.sum(), [mean, log_var])
    for estimates, exact in zip(found, model.exact_gradient(x, Posterior(*(part.detach() for part in q))), strict=True):
        error = (estimates.mean(0) - exact).abs() / (estimates.std(0) / math.sqrt(count))
        assert float(error.max()) < 4.5, name


def test_blocking_the_gradient_leaves_the_encoder_nothing_and_the_decoder_everything():
    _, _, q = linear()
    weight = gaussian(5, 2, seed=13).requires_grad_()
    x = gaussian(6, 5, seed=14)
    parameters = [q.mean, q.log_var, weight]

    def log_likelihood(z: torch.Tensor) -> torch.Tensor:
        return -(x - z @ weight.T).square().sum(1)

    found = {name: flat_gradient(expectation(name, q, gaussian(6, 2, seed=15), log_likelihood).sum(), parameters) for name in ESTIMATORS}
    assert float(found["blocked"][:24].abs().max()) == 0
    for name in ESTIMATORS:
        torch.testing.assert_close(found[name][24:], found["pathwise"][24:])
    assert float((found["score"][:24] - found["pathwise"][:24]).abs().max()) > 0.1
    assert blocked(q, gaussian(6, 2, seed=15), log_likelihood).grad_fn is not None


def test_a_baseline_takes_the_common_part_away():
    _, _, q = linear()
    far = [score(q, gaussian(6, 2, seed=16), lambda z, c=c: z.sum(1) + c, others_mean) for c in (0.0, 1000.0)]
    gradients = [flat_gradient(value.sum(), [q.mean]) for value in far]
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(others_mean(torch.tensor([1.0, 2.0, 6.0])), torch.tensor([4.0, 3.5, 1.5]))


def test_the_summed_variance_is_unbiased():
    assert trace_variance(torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])) == pytest.approx(4.0 + 3.0)


def test_shares_and_errors_of_estimates_against_a_known_gradient():
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    noisy = compared(exact + gaussian(AVERAGED[-1], 2, seed=17), exact)
    assert noisy["low"] < 1 < noisy["high"]
    assert noisy["error"][0] / noisy["error"][3] == pytest.approx(math.sqrt(AVERAGED[3]), rel=0.1)
    assert noisy["error"][0] == pytest.approx(math.sqrt(2) / 5, rel=0.05)
    halved = compared(0.5 * exact + 0.01 * gaussian(AVERAGED[-1], 2, seed=18), exact)
    assert halved["high"] < 0.6
    assert halved["error"][-1] == pytest.approx(0.5, rel=0.01)


def test_shrunk_images_keep_their_mean():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8)
    assert shrink(images).mean(1) == pytest.approx(images.reshape(3, -1).mean(1) / 255.0)
    assert shrink(images)[0, 8] == pytest.approx(images[0, 4:8, 4:8].mean() / 255.0)


def small_learner() -> tuple[VAELearner, object]:
    changes = {
        "model.latent_dim": 3,
        "model.hidden": [16],
        "train.batch_size": 8,
        "train.precision": "fp32",
        "train.ema_halflife_images": 0,
    }
    config = preset("mlp-vae", **changes)
    learner = build(config, (28, 28, 1), torch.device("cpu"), bf16=False)
    assert isinstance(learner, VAELearner)
    return learner, config


def test_training_by_the_reparameterised_estimator_is_the_librarys_training():
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (5, 8, 28, 28, 1), np.uint8))
    (ours, config), (theirs, _), (scored, _) = small_learner(), small_learner(), small_learner()
    for step in range(5):
        update(ours, "pathwise", images[step], config, step)
        update(scored, "score", images[step], config, step)
        theirs.update(images[step], Moment(step, 8 * step))
    for name, value in theirs.networks["encoder"].state_dict().items():
        torch.testing.assert_close(ours.networks["encoder"].state_dict()[name], value, msg=name)
    assert not torch.allclose(scored.networks["encoder"].layers[1].weight, ours.networks["encoder"].layers[1].weight)


def test_the_gaussian_divergence_is_that_of_torch():
    root = gaussian(4, 4, seed=19).numpy()
    covariance, mean = root @ root.T + np.eye(4), gaussian(4, seed=20).numpy()
    ours = torch.distributions.MultivariateNormal(torch.tensor(mean), torch.tensor(covariance))
    standard = torch.distributions.MultivariateNormal(torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64))
    assert gaussian_kl_nats(mean, covariance) == pytest.approx(float(torch.distributions.kl_divergence(ours, standard)))


def test_codes_that_fill_the_prior_are_at_its_floor_and_others_are_not():
    source = np.random.default_rng(2)
    means = 0.8 * source.standard_normal((1000, 3)).astype(np.float32)
    alike = aggregate(means, np.full_like(means, 0.6), seed=0)
    narrow = aggregate(means, np.full_like(means, 0.01), seed=0)
    shifted = aggregate(means + 2, np.full_like(means, 0.6), seed=0)
    assert alike["aggregate_kl_nats"] < 3 * alike["aggregate_kl_floor"]
    assert narrow["aggregate_kl_nats"] > 10 * narrow["aggregate_kl_floor"]
    assert shifted["aggregate_kl_nats"] == pytest.approx(6.0, rel=0.1)
    assert abs(alike["aggregate_mmd"]) < 0.2  # a kernel whose values are about 1
    assert shifted["aggregate_mmd"] > 2


class Copier:
    """A run whose decoder paints four pixels with the first three of its four units."""

    def networks(self):
        return {"decoder": lambda z: torch.stack([20 * z[:, 0], 20 * z[:, 1], 20 * z[:, 2], 0 * z[:, 3] - 20], 1).view(-1, 1, 2, 2)}

    def encode(self, images: Images):
        codes = images.reshape(-1, 4).astype(np.float32) / 127.5 - 1
        return type("Latents", (), {"mean": codes})


def test_a_unit_is_needed_if_reconstructions_suffer_without_it():
    images = np.random.default_rng(3).choice(np.array([0, 255], np.uint8), (50, 2, 2, 1))
    images[:, 1, 1] = 0
    assert needed_units(Copier(), images) == 3
    images[:, 0, 0] = 255  # a unit that never varies tells nothing
    assert needed_units(Copier(), images) == 2


def test_shares_of_the_variance():
    codes = np.random.default_rng(4).standard_normal((4000, 2)).astype(np.float32) * np.array([3.0, 1.0], np.float32)
    assert variance_shares(codes) == pytest.approx([0.9, 0.1], abs=0.02)
    assert variance_shares(codes[:, :1]) == pytest.approx([1.0])


def test_a_picture_is_a_small_png():
    png = strip(np.random.default_rng(5).integers(0, 256, (16, 28, 28, 1), np.uint8), 8)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 40_000
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.size == (2 * (8 * 30 + 2), 2 * (2 * 30 + 2))
        assert not picture.info
    with Image.open(io.BytesIO(strip(np.full((2, 8, 8, 3), (200, 30, 30), np.uint8), 2))) as picture:
        assert picture.convert("RGB").getpixel((10, 10)) == (200, 30, 30)


def test_only_what_depends_on_the_draw_varies():
    learner, _ = small_learner()
    x = torch.rand((8, 1, 28, 28), generator=torch.Generator().manual_seed(21))
    found = {name: variance(learner, x, name, 0, 0) for name in ("blocked", "pathwise", "score-own-mean", "score")}
    assert found["blocked"] == 0
    assert 0 < found["pathwise"] < found["score-own-mean"] < found["score"]
    assert found["pathwise"] == variance(learner, x, "pathwise", 0, 0)
    assert np.exp(log_ratios([8.0, 2.0], [2.0, 1.0])) == pytest.approx([4.0, 2.0])


def table(means: list[float], spread: float = 0.01) -> np.ndarray:
    return np.array(means, np.float64)[:, None] + spread * np.array([-1.0, 0.0, 1.0])


def test_claims_about_pairs_read_in_both_directions():
    low, high, wide = table([1.0])[0], table([2.0])[0], np.array([1.0, 9.0, -7.0])
    assert larger("x", [(high, low)]).verdict == "holds"
    assert larger("x", [(low, high)]).verdict == "contradicted"
    assert larger("x", [(wide, low)]).verdict == "unclear"
    assert larger("x", [(high, low), (low, high)]).verdict == "contradicted"
    assert larger("x", [(high, low), (wide, low)]).verdict == "unclear"
    assert larger("x", [(np.array([np.inf, 1, 1]), low)]).verdict == "unclear"
    assert together([]) == "unclear"


def test_the_lowest_and_those_not_clearly_above_it():
    assert tied_best(table([3.0, 1.0, 2.0])) == [1]
    assert tied_best(np.array([[3.0, 3.1, 3.2], [1.0, 1.0, 1.0], [0.5, 1.2, 1.6]])) == [1, 2]


def test_a_summary_has_students_interval():
    found = summary(np.array([[1.0, 2.0, 3.0], [5.0, np.inf, 5.0]]))
    assert found.mean == (2.0, None)
    assert found.high[0] == pytest.approx(2.0 + 4.302653 / math.sqrt(3), rel=1e-5)
    assert found.low[1] is None


def kl_tables(flip: bool = False) -> tuple[dict, dict]:
    falling, rising, valley = [6.0, 5, 4, 3, 2, 1], [1.0, 2, 3, 4, 5, 6], [9.0, 5, 3, 1, 4, 6]
    if flip:
        falling, rising, valley = rising, falling, [-value for value in valley]
    names = {
        "negative_elbo_nats": valley, "train_negative_elbo_nats": valley, "reconstruction_nats": rising, "reconstruction_mse": rising,
        "kl_nats": falling, "active_units": falling, "needed_units": falling, "aggregate_kl_nats": falling,
        "aggregate_kl_floor": [0.1] * 6, "aggregate_mmd": falling, "kid": valley, "frechet": valley,
    }  # fmt: skip
    gaps = dict(zip(kl.SMALL_BETAS, table([4.0, 3, 2, 1] if not flip else [1.0, 2, 3, 4]), strict=True))
    return {name: table(values) for name, values in names.items()}, gaps


def size_tables(flip: bool = False) -> dict:
    falling, rising = [70.0, 50, 30, 20, 10, 9.5, 9.2], [0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95]
    if flip:
        falling, rising = falling[::-1], rising[::-1]
    shared = {"reconstruction_mse": falling, "knn_accuracy": rising, "kid": falling, "frechet": falling}
    excess = {"ae": [1.0, 1.02, 1.1, 1.2, 1.3, 1.4, 1.5], "vae": [1.0, 1.02, 1.1, 1.1, 1.1, 1.1, 1.1]}
    units = {"ae": [1, 2, 4, 8, 16, 32, 60], "vae": [1, 2, 4, 8, 14, 15, 15]}
    if flip:
        excess, units = {"ae": excess["ae"][::-1], "vae": excess["ae"]}, {"ae": [1] * 7, "vae": units["ae"]}
    found = {}
    for family in latent_dim.FAMILIES:
        tables = {name: table(values, 0.001) for name, values in shared.items()}
        tables["train_reconstruction_mse"] = table([a / b for a, b in zip(falling, excess[family], strict=True)], 0.001)
        tables["needed_units"] = table(units[family], 0.1)
        if family == "vae":
            names = ("nll_nats", "negative_elbo_nats", "train_negative_elbo_nats", "kl_nats", "active_units", "aggregate_kl_nats")
            tables |= {name: table(falling, 0.001) for name in (*names, "aggregate_kl_floor", "aggregate_mmd")}
            tables["kid_fitted"] = table([value / 2 for value in falling], 0.001)
            tables |= {"nll_effective": table([40, 30, 20, 10, 8, 6, 5], 0.001), "nll_above": table([0.0, 0, 0, 0, 0.1, 0.2, 0.3], 0.0)}
        found[family] = tables
    return found


def gradient_results(flip: bool = False) -> dict:
    errors = {"error": [1.0] * len(AVERAGED)}
    unbiased = errors | {"distance": 0.01, "excess": {"ratio": 1.1, "usual": 1.3, "extreme": 1.6}}
    nothing = errors | {"distance": 1.0, "excess": {"ratio": None, "usual": None, "extreme": None}}
    double = errors | {"distance": 1.0, "excess": {"ratio": 900.0, "usual": 1.3, "extreme": 1.6}}
    bias = {"pathwise": unbiased, "score": unbiased, "score-baseline": unbiased, "blocked": nothing}
    scale = {"pathwise": 1.0, "score-own-mean": 9.0, "score-baseline": 90.0, "score": 900.0}
    ends = {"pathwise": 100.0, "score-baseline": 120.0, "score": 150.0, "blocked": 200.0}
    if flip:
        bias |= {"score": double}
        scale = {name: 1 / value for name, value in scale.items()}
        ends = {name: -value for name, value in ends.items()}
    noise = np.exp(0.05 * np.array([-1.0, 0.0, 1.0]))
    spread = {
        stage: {name: [value, *(value * noise * (1.01 if name == "score" else 1))] for name, value in scale.items()}
        for stage in ("before", "after")
    }
    ratios = {stage: reparameterization.ratios_to_pathwise(spread[stage]) for stage in spread}
    curves = {name: table([300.0, value]) for name, value in ends.items()}
    found = {"estimators": bias, "draws": 1000, "averaged": list(AVERAGED)}
    return {"bias": found, "ratios": ratios, "spread": spread, "curves": curves, "kl": {name: np.ones(3) for name in ends}}


def made_up(name: str, flip: bool) -> tuple[tuple, tuple]:
    match name:
        case "kl":
            tables, gaps = kl_tables(flip)
            pictures = [b"png"] * 7
            return kl.claims(tables, gaps, 300), kl.panels(tables, gaps, 300, pictures, KID_TOLD)
        case "latent-dim":
            tables = size_tables(flip)
            return latent_dim.claims(tables), latent_dim.panels(tables, [b"png"] * 5, KID_TOLD)
        case _:
            found = gradient_results(flip)
            claims = reparameterization.claims(*(found[key] for key in ("bias", "ratios", "spread", "curves", "kl")))
            return claims, reparameterization.panels(found["bias"], found["ratios"], [0, 50], found["curves"])


@pytest.mark.parametrize("name", MINE)
def test_claims_hold_and_are_contradicted_by_made_up_numbers(name):
    assert {claim.name: claim.verdict for claim in made_up(name, False)[0] if claim.verdict != "holds"} == {}
    assert {claim.name: claim.verdict for claim in made_up(name, True)[0] if claim.verdict != "contradicted"} == {}


def test_a_claim_that_is_not_judged_over_seeds_says_over_what():
    """The variance ratios have one value for each batch of one network, the bias is compared with a quantile of its own noise."""
    name = "reparameterization"
    told = {claim.name: " ".join(phrase.say("en") for phrase in claim.told(name)) for claim in made_up(name, False)[0]}
    batches = len(gradient_results()["spread"]["after"]["score"])
    for name in ("variance", "baseline"):
        assert f"Judged over {batches} batches of one trained network, not over seeds" in told[name]
    assert f"{100 * reparameterization.TOLERANCE:g}\xa0% off" in told["unbiased"]
    assert "χ² quantile" in told["unbiased"]
    assert all("Judged" not in words for name, words in told.items() if name not in ("unbiased", "variance", "baseline"))


def test_the_size_of_a_latent_space_is_shown_with_like_beside_like():
    """A fitted Gaussian for the VAE too; k, effective samples and Pareto k beside the NLL."""
    claims, panels = made_up("latent-dim", False)
    shown = {panel.title.key.split(".")[3]: panel for panel in panels}
    drawn = {series.name.say("en"): series.y for series in shown["samples"].series}
    vae, fitted = drawn["VAE"], drawn["VAE, fitted Gaussian"]
    assert fitted == pytest.approx([value / 2 for value in vae], rel=0.01)
    assert next(c for c in claims if c.name == "samples").values["fitted"] == pytest.approx(fitted[-1])
    words = shown["nll"].summary.say("en")
    assert f"k = {latent_dim.NLL_SAMPLES} importance samples" in words
    assert "64 units: 5.00, too heavy a tail for 30.0\xa0%" in words


@pytest.mark.parametrize("name", MINE)
def test_a_panel_with_bands_says_what_they_are(name):
    for panel in made_up(name, False)[1]:
        bands = any(end is not None for series in getattr(panel, "series", ()) for end in series.low)
        spread = {("variance", True): "batches of one network", ("", True): "Student’s 95\xa0% interval of each"}
        kind = "variance" if "panel.variance." in panel.title.key else ""
        said = spread.get((kind, bands))
        assert said in panel.summary.say("en") if said else "Student" not in panel.summary.say("en"), panel.title.key


@pytest.mark.parametrize("name", MINE)
def test_every_text_of_a_card_is_there_and_filled_in(name, tmp_path):
    claims, panels = made_up(name, False)
    card = Card(name, "digits", 1.0, {}, {}, (options(name)[0],), claims, panels, {}, ())
    card.save(tmp_path)
    read = read_card(tmp_path)
    for lang in languages():
        texts = catalogue(lang)
        for claim in read.claims:
            key = f"question.{name}.measured.{claim.name}"
            wanted = {field for _, field, _, _ in Formatter().parse(texts[key]) if field is not None}
            assert wanted <= set(claim.values), key
            assert "{" not in claim.measured(name).say(lang)
            assert texts[f"question.{name}.claim.{claim.name}"]
        said = {f"question.{name}.{part}.{claim.name}" for part in ("claim", "measured") for claim in claims}
        assert said == {key for key in texts if key.startswith((f"question.{name}.claim.", f"question.{name}.measured."))}
        for panel in read.panels:
            lines = [panel.title, panel.summary]
            for kind in ("x_label", "y_label"):
                lines += [getattr(panel, kind)] if hasattr(panel, kind) else []
            lines += [series.name for series in getattr(panel, "series", ())] + [said for said, _ in getattr(panel, "items", ())]
            assert all(phrase.say(lang) and "{" not in phrase.say(lang) for phrase in lines)
            axes = [panel.y_label] if hasattr(panel, "y_label") else []
            if any("KID" in phrase.say(lang) for phrase in axes):
                assert KID_TOLD.say(lang) in panel.summary.say(lang)
        for part, least in (("experiment", 1), ("answer", 3), ("formula", 2), ("next", 3), ("source", 1)):
            numbers = sorted(int(key.rpartition(".")[2]) for key in texts if key.startswith(f"question.{name}.{part}."))
            assert numbers == list(range(1, len(numbers) + 1)), part
            assert len(numbers) >= least
            if part == "formula":
                assert len(numbers) == len(FORMULAS[name])
        assert all(f"question.{name}.{part}" in texts for part in ("title", "ask", "predict", "analogy"))
    assert 3 <= len(options(name)) <= 6


def test_the_outcome_is_computed():
    assert kl.outcome(table([9.0, 5, 3, 1, 4, 6])) == ("one",)
    assert kl.outcome(table([1.0, 5, 3, 2, 4, 6])) == ("zero",)
    assert kl.outcome(table([4.0, 5, 1, 2, 4, 6])) == ("below-one",)
    assert kl.outcome(table([4.0, 5, 3, 2, 4, 1])) == ("ten",)
    assert kl.outcome(np.array([[9.0] * 3] * 3 + [[1.0, 1.1, 1.2], [1.3, 1.0, 1.1], [6.0] * 3])) == ("one", "three")
    assert latent_dim.outcome(table([9.0, 8, 7, 6, 5, 4, 3])) == ("always",)
    assert latent_dim.outcome(table([9.0, 8, 7, 6, 5, 6, 7])) == ("worse",)
    assert latent_dim.outcome(table([9.0, 8, 7, 6, 5, 4.9, 4.8])) == ("plateau",)
    assert latent_dim.outcome(table([185.0, 165, 144, 136, 132.9, 134.7, 135.3], 0.1)) == ("plateau",), "a loss that the claim tolerates"
    torn = table([9.0, 9, 7, 6, 5, 5, 5.5]) + np.array([[0.0] * 3, [0.9, 0, -0.9], *[[0.0] * 3] * 5])
    assert latent_dim.outcome(torn) == ("plateau", "worse"), "the seeds do not settle which"
    assert [reparameterization.outcome(r)[0] for r in (0.5, 2, 10, 300, 5000)] == ["lower", "same", "ten", "hundred", "thousand"]
    for tables in (size_tables(), size_tables(flip=True)):
        settled = next(c.verdict for c in latent_dim.claims(tables) if c.name == "levels-off")
        assert (latent_dim.outcome(tables["vae"]["nll_nats"]) == ("plateau",)) == (settled == "holds")
    assert set(kl.outcome(table([1.0] * 6))) <= set(options("kl"))


def test_a_bias_in_any_direction_is_found():
    """Along the exact gradient, and at a right angle to it, where its share of the exact gradient stays 1."""
    exact = torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    noise = gaussian(AVERAGED[-1], 3, seed=22) * torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    fair = compared(exact + noise, exact)
    assert reparameterization.unbiased(fair) == "holds"
    for bias in ([0.3, 0.4, 0.0], [-0.4, 0.3, 0.0], [0.0, 0.0, 0.5]):
        found = compared(exact + torch.tensor(bias, dtype=torch.float64) + noise, exact)
        assert reparameterization.unbiased(found) == "contradicted", bias
        assert found["distance"] == pytest.approx(0.1, rel=0.1)
    sideways = compared(exact + torch.tensor([0.0, 0.0, 0.5], dtype=torch.float64) + noise, exact)
    assert sideways["low"] < 1 < sideways["high"]
    assert reparameterization.unbiased(compared(exact + 200 * noise, exact)) != "holds", "noise that could hide a bias"
    assert reparameterization.unbiased(compared(torch.zeros(AVERAGED[-1], 3, dtype=torch.float64), exact)) == "contradicted"


def test_the_distance_that_noise_explains_is_one_on_average():
    """Of many made-up unbiased means 95 in 100 stay below the usual ratio, with coordinates of very unequal noise."""
    exact, scale = torch.zeros(6, dtype=torch.float64), torch.tensor([5.0, 2, 1, 1, 0.5, 0.1], dtype=torch.float64)
    found = [excess_over_noise(gaussian(200, 6, seed=100 + n) * scale, exact) for n in range(600)]
    ratios = np.array([each["ratio"] for each in found])
    assert ratios.mean() == pytest.approx(1.0, abs=0.15)
    assert np.mean(ratios <= [each["usual"] for each in found]) == pytest.approx(0.95, abs=0.025)
    assert np.mean(ratios <= [each["extreme"] for each in found]) > 0.99


def test_the_runs_of_the_questions_are_configurations():
    plans = [kl.plan(beta, 0) for beta in kl.BETAS] + [kl.plan(1.0, 0, 300)]
    plans += [latent_dim.plan(family, size, 1) for family in latent_dim.FAMILIES for size in latent_dim.SIZES]
    assert len({plan.name for plan in plans}) == len(plans)
    for plan in plans:
        preset(plan.preset, **plan.changes)
    twins = [preset(plan.preset, **plan.changes) for plan in (latent_dim.plan("vae", 8, 0), latent_dim.plan("ae", 8, 0))]
    decoders = [networks(twin.model, (28, 28, 1))["decoder"] for twin in twins]
    assert decoders[0] == decoders[1]
    assert isinstance(twins[0].model, VAEModel)
    common = {"steps", "batch_size", "seed", "learning_rate", "ema_halflife_images"}
    assert len({tuple(sorted((k, v) for k, v in dataclasses.asdict(twin.train).items() if k in common)) for twin in twins}) == 1


ROBUST = {
    "reparameterization": ("unbiased", "blocked", "variance", "training"),
    "kl": ("trade", "reconstructs", "aggregate", "elbo", "memorising"),
    "latent-dim": ("too-small", "switched-off", "ae-uses-all", "levels-off", "organised"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MINE)
def test_a_question_on_digits(name, tmp_path):
    assert name in NAMES
    from latentlab.lab.questions import run
    from latentlab.train import open_run

    card = run(name, tmp_path)
    assert read_card(tmp_path).numbers == card.numbers
    assert {claim: card.claim(claim).verdict for claim in ROBUST[name]} == dict.fromkeys(ROBUST[name], "holds")
    assert set(card.outcome) <= set(options(name))
    runs = {folder: open_run(tmp_path / folder) for folder in card.runs}
    module = importlib.import_module(f"latentlab.lab.questions.{name.replace('-', '_')}")
    if name == "kl":
        held_out = runs["beta-3-seed-1"].data().test.images
        found = runs["beta-3-seed-1"].learner.held_out(torch.from_numpy(held_out.copy()), 1, 0)
        assert card.numbers["kl_nats"]["seeds"][4][1] == pytest.approx(float(found["kl_nats"].double().mean()), rel=1e-5)
        assert runs["few-beta-0-seed-0"].config.data.train_images == module.SMALL
    elif name == "latent-dim":
        held_out = runs["ae-8-seed-2"].data().test.images
        found = runs["ae-8-seed-2"].learner.held_out(torch.from_numpy(held_out.copy()), 2, 0)
        assert card.numbers["ae_reconstruction_mse"]["seeds"][3][2] == pytest.approx(float(found["mse"].double().mean()), rel=1e-5)
    else:
        assert set(runs) == {module.REAL}
        first = {name: curve["seeds"][0] for name, curve in card.numbers["negative_elbo_nats"].items()}
        assert len({tuple(values) for values in first.values()}) == 1  # before training all have the same weights

"""The latent space as a picture: the plane itself, or its PCA and t-SNE; and how much each unit says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import Phrase, number, text
from latentlab.measure.metrics.classes import ACTIVE_VARIANCE
from latentlab.runs.folder import RunFolder
from latentlab.show.charts.curves import KL, own_curves
from latentlab.show.charts.panels import Lines
from latentlab.show.figures import style
from latentlab.show.figures.painter import draw_panels
from latentlab.show.figures.records import Codes, active_units, class_names, read_codes, unit_kl_nats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MAX_POINTS = 5_000  # drawn in a plane; beyond, more ink tells nothing more
TSNE_POINTS = 2_000
TSNE_ITERATIONS = 400
DIGIT_POINTS = 700  # so few points can be drawn as the characters of their classes
NAMED_CLASSES = 30

Doubles = NDArray[np.float64]


def draw_latent(folder: RunFolder, lang: str, tsne: bool) -> Path | None:
    """figures/latent.png from latents.npz; None where there are no codes."""
    codes = read_codes(folder)
    if codes is None or len(codes.mean) < 3:
        return None
    names = class_names(folder)
    count, size = codes.mean.shape
    panels = [_plane(codes, lang)] if size <= 2 else _projections(codes, lang, tsne)
    is_vae = folder.config().family == "vae"
    figure, axes = style.column([4.9] * len(panels))
    for panel, (points, label, title, x, y) in zip(axes, panels, strict=True):
        scatter(panel, points, label, names)
        if size == 2 and is_vae:
            _prior_circles(panel, lang)
        style.dress(panel, title, x, y, lang)
        panel.grid(visible=False)
        panel.set_aspect("equal", adjustable="datalim")
    return style.save(figure, folder.figures / "latent.png", lang, Images=count)


Panel = tuple[Doubles, "NDArray[np.int64] | None", str, str, str]


def thinned(codes: Codes, most: int) -> tuple[Doubles, NDArray[np.int64] | None]:
    """At most so many codes, drawn at random but always the same, and their labels.

    Every k-th code would not do: where classes come in turn, it would take some of them only.
    """
    rows = np.sort(np.random.default_rng(0).permutation(len(codes.mean))[:most])
    return codes.mean[rows], None if codes.label is None else codes.label[rows]


def _plane(codes: Codes, lang: str) -> Panel:
    mean, label = thinned(codes, MAX_POINTS)
    n = number(len(mean), lang)
    if mean.shape[1] == 2:
        return mean, label, text("figure.latent.plane", lang, n=n), "z₁", "z₂"
    points: Doubles = np.column_stack([mean[:, 0], np.zeros(len(mean)) if label is None else label])
    return points, label, text("figure.latent.axis", lang, n=n), "z₁", text("figure.latent.class_number", lang)


def _projections(codes: Codes, lang: str, tsne: bool) -> list[Panel]:
    from sklearn.decomposition import PCA

    mean, label = thinned(codes, MAX_POINTS)
    if np.ptp(mean, axis=0).max() > 0:
        pca = PCA(2, svd_solver="full").fit(mean)
        flat, explained = pca.transform(mean), float(pca.explained_variance_ratio_.sum())
    else:  # every code the same: no variance to share out
        flat, explained = np.zeros((len(mean), 2)), 1.0
    share = number(100 * explained, lang, 0)
    x, y = (text("figure.latent.component", lang, k=k) for k in (1, 2))
    panels: list[Panel] = [(flat, label, text("figure.latent.pca", lang, share=share), x, y)]
    some, label = thinned(codes, TSNE_POINTS)
    if tsne and len(some) >= 10:
        x, y = (text("figure.latent.tsne_axis", lang, k=k) for k in (1, 2))
        panels.append((embed(some), label, text("figure.latent.tsne", lang, n=number(len(some), lang)), x, y))
    return panels


def embed(codes: Doubles) -> Doubles:
    """t-SNE of codes [N, Z] in the plane [N, 2], the same at every call (van der Maaten & Hinton 2008)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if np.ptp(codes, axis=0).max() == 0:
        return np.zeros((len(codes), 2))
    few = PCA(min(20, *codes.shape), svd_solver="full").fit_transform(codes)
    perplexity = min(30.0, (len(codes) - 1) / 3)
    result: Doubles = TSNE(2, perplexity=perplexity, init="pca", max_iter=TSNE_ITERATIONS, random_state=0).fit_transform(few)
    return result


def scatter(panel: Axes, points: Doubles, label: NDArray[np.int64] | None, names: list[str] | None) -> None:
    """Points [N, 2] by class: by colour, and by the class's own character or mark; its name at the class's middle."""
    if label is None or names is None:
        panel.plot(points[:, 0], points[:, 1], ".", color=style.FAMILY["vae"], markersize=3, alpha=0.6)
        return
    as_characters = len(points) <= DIGIT_POINTS and all(len(name) == 1 and name.isalnum() for name in names)
    colors = [style.CLASSES[index % len(style.CLASSES)] for index in range(len(names))]
    for index, (name, color) in enumerate(zip(names, colors, strict=True)):
        own = points[label == index]
        mark = f"${name}$" if as_characters else "osD^v*"[index // len(style.CLASSES) % 6]
        size = 5.5 if as_characters else 3.0 if len(points) < 2500 else 2.2
        panel.plot(own[:, 0], own[:, 1], linestyle="", marker=mark, color=color, markersize=size, alpha=0.85, markeredgewidth=0.3)
    if len(names) <= NAMED_CLASSES:
        present = [index for index in range(len(names)) if (label == index).any()]
        middles = np.stack([np.median(points[label == index], axis=0) for index in present])
        for (x, y), index in zip(apart(middles, 0.075 * float(np.ptp(points, axis=0).max())), present, strict=True):
            _name_class(panel, float(x), float(y), names[index], colors[index])


def _name_class(panel: Axes, x: float, y: float, name: str, color: str) -> None:
    shown = name if len(name) <= 14 else name[:13] + "…"
    short = len(shown) < 3
    box = {"boxstyle": "circle,pad=0.25" if short else "round,pad=0.2", "facecolor": "white", "edgecolor": "#bbbbbb", "alpha": 0.92}
    panel.text(
        x, y, shown, ha="center", va="center", fontsize=11 if short else 9.5, fontweight="bold", color=color, zorder=5,
        parse_math=False, bbox=box | {"linewidth": 0.6},
    )  # fmt: skip


def apart(points: Doubles, distance: float) -> Doubles:
    """Points [M, 2] pushed away from each other until none is nearer to another than `distance`, or nearly so."""
    moved = points.astype(np.float64) + 1e-6 * distance * np.arange(len(points))[:, None]
    for _ in range(50):
        gaps = moved[:, None] - moved[None]  # [M, M, 2]
        lengths = np.linalg.norm(gaps, axis=2) + np.eye(len(moved)) * 1e9
        push = np.maximum(distance - lengths, 0) / 2
        if not push.any():
            break
        moved += (gaps / np.maximum(lengths, 1e-12)[..., None] * push[..., None]).sum(1)
    return moved


def _prior_circles(panel: Axes, lang: str) -> None:
    from matplotlib.patches import Circle

    for radius in (1.0, 2.0):
        panel.add_patch(Circle((0, 0), radius, fill=False, linestyle="--", linewidth=0.8, color=style.SOFT, zorder=1))
    panel.plot([], [], "--", linewidth=0.8, color=style.SOFT, label=text("figure.latent.prior", lang))


def draw_kl(folder: RunFolder, lang: str) -> Path | None:
    """figures/kl.png: the KL over epochs and, once there are codes, of each latent unit. None for a run without KL."""
    if folder.config().family != "vae":
        return None
    rows, codes = folder.metrics(), read_codes(folder)
    panels: list[Lines | Figure] = [own_curves(rows, KL, Phrase("page.verbatim", {"words": folder.name}), "vae")]
    if codes is not None and (units := unit_kl_nats(codes)) is not None:
        panels.append(_kl_by_unit(codes, units, lang))
    return draw_panels(panels, folder.figures / "kl.png", lang, Step=rows[-1]["step"] if rows else 0)


def _kl_by_unit(codes: Codes, units: Doubles, lang: str) -> Figure:
    """The KL of each unit, largest first, those that are active apart."""
    from matplotlib.ticker import MaxNLocator

    figure, (panel,) = style.column([2.7])
    order = np.argsort(-units)
    active = codes.mean.var(0)[order] > ACTIVE_VARIANCE
    rank = np.arange(1, len(order) + 1)
    idle = text("figure.kl.idle", lang) if not active.all() else None
    busy = text("figure.kl.active", lang, least=number(ACTIVE_VARIANCE, lang))
    for chosen, color, label in ((active, style.FAMILY["vae"], busy), (~active, "#c9c9c9", idle)):
        panel.bar(rank[chosen], units[order][chosen], color=color, width=0.8, label=label)
    panel.set_xlim(0.3, max(len(order), 8) + 0.7)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    title = text("figure.kl.units", lang, active=active_units(codes), all=len(units))
    style.dress(panel, title, text("figure.kl.unit", lang), text("figure.kl.unit_nats", lang), lang)
    return figure

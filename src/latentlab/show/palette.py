"""The colours of families, of runs within a family, and of series of no family: once, for figures, charts, the studio and the explorer.

Each is a pair: on paper, and on a dark page. A family's hue is what a single run of it has; several take steps of its ramp, which
differ in lightness, for colour-blind readers too. Marks, dashes and names tell series apart where colour does not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latentlab.config.field import ROLES
from latentlab.config.schema import Config

FAMILIES = {
    "ae": ("#c94f00", "#f28c4c"), "vae": ("#0072b2", "#62b3ea"), "gan": ("#00805e", "#42c79b"), "gan-from-vae": ("#a8487f", "#dd8fbb"),
}  # fmt: skip
AE_WORD = "#b84700"  # the autoencoder's hue is too pale for small words on paper
# For series of no family: apart from the families' hues, and from each other by lightness too.
FREE = (
    ("#473ba3", "#a9a0f5"), ("#a87208", "#dcae4e"), ("#0d8087", "#4fc3c7"), ("#8c2250", "#ef8fb0"), ("#66707e", "#a3abb8"),
    ("#6b7a12", "#b9c75c"),
)  # fmt: skip
# Eight steps a family: each at least 3 : 1 on its page, two of them at least 4.9 apart (CIEDE2000), also as protan, deutan and tritan.
RAMPS = {
    "ae": ("4f1208 67210e 7c2e0d 913b07 a34900 b35902 c16907 d07902", "9e5235 b15d2e c56c26 da7d16 ed9100 fea906 fec767 fee2a8"),
    "vae": ("14004f 161773 09308c 004a94 04609c 0274a7 0388b3 019bbe", "666288 676ea2 677fbf 6194de 51adfc 6bc7fe 95defe c9f3ff"),
    "gan": ("0e2100 173700 1c4a00 2c5a21 3d6a39 4e794f 608864 729779", "267269 268571 319b78 46b17b 63c77a 86dd75 aef36b e4ffaa"),
    "gan-from-vae": ("1a0023 44004c 650066 7c2471 8e3e7a 9e5582 ac6a8b b77f96", "b63467 c54380 d7539b e865b7 f977d6 fe96ed feb9fb fbdcfe"),
}
STEPS = 8
APART = {2: (1, 6), 3: (0, 3, 7), 4: (0, 2, 5, 7)}  # which steps so many runs take; more take them evenly
SEED = "train.seed"
FIXED = ROLES - {"machine", "files", "recording"}  # roles of the fields by which runs differ in what they are
DARK = "@media screen and (prefers-color-scheme: dark)"  # on paper all is light
_VARIABLES = {"gan-from-vae": "warm"}  # where a style sheet's variable is called otherwise


def ramps(dark: bool = False) -> dict[str, str]:
    """The colour of each step of each family's ramp, "vae-0" to "vae-7"."""
    return {f"{kind}-{step}": f"#{color}" for kind, pair in RAMPS.items() for step, color in enumerate(pair[dark].split())}


def colors(dark: bool = False) -> dict[str, str]:
    """The colour of every hue but the ink of "real": families, their steps, and "1" to "6"."""
    free = {str(number): pair[dark] for number, pair in enumerate(FREE, 1)}
    return {kind: pair[dark] for kind, pair in FAMILIES.items()} | free | ramps(dark)


def rules(pattern: str, dark: bool = False, of: Iterable[str] = ()) -> str:
    """CSS of each hue, or of some, by a pattern of {hue}, {color} and {name}: what a host's variable of that family is called."""
    chosen = {hue: color for hue, color in colors(dark).items() if not of or hue in of}
    return "".join(pattern.format(hue=hue, color=color, name=_VARIABLES.get(hue, hue)) for hue, color in chosen.items())


def variables(prefix: str = "", dark: bool = False) -> str:
    """CSS declarations of the families' colours: --ae, --vae, --gan, --warm."""
    return rules(f"--{prefix}{{name}}: {{color}}; ", dark, FAMILIES)


def both(pattern: str, of: Iterable[str] = ()) -> str:
    """The same rules for a light page and, where the reader's screen is dark, for a dark one."""
    return f"{rules(pattern, False, of)}{DARK} {{\n{rules(pattern, True, of)}}}\n"


def page() -> str:
    """The families' colours as variables of a whole page."""
    light, dark = variables() + f"--ae-word: {AE_WORD};", variables(dark=True) + "--ae-word: var(--ae);"
    return f":root {{ {light} }}\n{DARK} {{ :root {{ {dark} }} }}\n"


def hues(kinds: Sequence[str], settings: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """The hue of each run by its kind: the family's own, or where several are of one kind, steps of its ramp.

    With each run's `settings` (values by dotted name) runs that differ in their seed alone share a step, and the steps follow
    the values that differ; without them every run has a step, in their order.

    >>> hues(["vae", "gan", "vae", "vae"])
    ['vae-0', 'gan', 'vae-3', 'vae-7']
    >>> hues(["vae"] * 3, [{"train.beta": 4, "train.seed": 0}, {"train.beta": 1, "train.seed": 0}, {"train.beta": 4, "train.seed": 1}])
    ['vae-6', 'vae-1', 'vae-6']
    """
    groups = _groups(kinds, settings) if settings else list(range(len(kinds)))
    chosen = []
    for kind, group in zip(kinds, groups, strict=True):
        own = sorted({other for other, same in zip(groups, kinds, strict=True) if same == kind})
        chosen.append(f"{kind}-{_step(own.index(group), len(own))}" if kind in RAMPS and len(own) > 1 else kind)
    return chosen


def hues_of(configs: Sequence[Config]) -> list[str]:
    """The hue of each run by its configuration."""
    return hues([one.kind for one in configs], [one.values(FIXED) for one in configs])


def _step(place: int, count: int) -> int:
    """The step of one of so many runs."""
    steps = APART.get(count)
    return steps[place] if steps else round(place % STEPS * (STEPS - 1) / (min(count, STEPS) - 1))


def _groups(kinds: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> list[int]:
    """For each run the place of its configuration among all, by the values in it. A seed that comes again is another run's."""
    fields = [name for name in dict.fromkeys(name for own in settings for name in own) if name != SEED]
    seen: Counter[str] = Counter()
    keys = []
    for kind, own in zip(kinds, settings, strict=True):
        values = tuple(_rank(own.get(field)) for field in fields)
        again = json.dumps([kind, values, str(own.get(SEED))])
        keys.append((values, seen[again]))
        seen[again] += 1
    order = sorted(set(keys))
    return [order.index(key) for key in keys]


def _rank(value: Any) -> tuple[bool, float, str]:
    """Numbers by size before all else by name."""
    is_number = isinstance(value, int | float)
    return (False, float(value), "") if is_number else (True, 0.0, str(value))

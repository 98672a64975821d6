"""What an experiment gives to its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latentlab.cards.card import Claim
from latentlab.panels import Panel


@dataclass(frozen=True)
class Findings:
    """The part of a card that an experiment fills in: see `latentlab.cards.card.Card`."""

    settings: dict[str, Any]
    outcome: tuple[str, ...]
    claims: tuple[Claim, ...]
    panels: tuple[Panel, ...]
    numbers: dict[str, Any]

"""The version, apart from everything else so that anything may say it."""

from __future__ import annotations

__version__ = "0.1.0"

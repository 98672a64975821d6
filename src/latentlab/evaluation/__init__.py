"""Measuring runs: held-out losses, class balance, scores.json."""

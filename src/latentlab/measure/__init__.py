"""How good a run is: every measure, its scores, and runs side by side."""

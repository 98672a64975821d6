"""What lies on disk of a run, and what can be read from it."""

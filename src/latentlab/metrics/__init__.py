"""Measures as pure functions of arrays, in float64."""

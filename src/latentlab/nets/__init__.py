"""Torch modules drawn from layer descriptions."""

"""Trained networks in a browser: `pack` writes what `static/explorer.js` runs."""

from latentlab.explorer.pack import Packed, Precision, embed, pack_network

__all__ = ["Packed", "Precision", "embed", "pack_network"]

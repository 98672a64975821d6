"""The script that Streamlit runs for each reader, again at every click."""

from __future__ import annotations

from latentlab.studio import frame

frame.draw()

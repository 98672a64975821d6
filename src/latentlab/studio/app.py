"""The script that Streamlit runs for each reader, again at every click."""

from latentlab.studio import frame

frame.draw()

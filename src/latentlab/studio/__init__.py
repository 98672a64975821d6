"""The studio: train, watch, explore and compare in the browser. A Streamlit page that reads run folders and loads no torch.

server.py starts it and guards every request; app.py is the script that Streamlit runs for each reader; pages/ has one
module a page. What is trained or measured runs in processes of its own (tasks.py), which outlive the page.
"""

from __future__ import annotations

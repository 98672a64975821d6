"""The studio: train, watch, explore and compare in the browser. A Streamlit page that reads run folders and loads no torch.

server.py starts it; routes.py guards every request; app.py is the script that Streamlit runs for each reader; views/ draws the
pages. What they let be done stands in actions.py; what is trained or measured runs in processes of its own (tasks.py), which
outlive the page.
"""

from __future__ import annotations

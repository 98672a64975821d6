"""A page of the studio by Streamlit's own test, without the bar above it."""

from __future__ import annotations

import html
import re

from streamlit.testing.v1 import AppTest


def _script(page: str) -> None:
    import streamlit as st

    from latentlab.studio import frame

    st.session_state["pages"] = {}
    frame._run(page)


def opened(page: str, **address: str) -> AppTest:
    """A page after its first run, with parameters in its address."""
    at = AppTest.from_function(_script, args=(page,), default_timeout=60)
    for name, value in {"lang": "en", **address}.items():
        at.query_params[name] = value
    return whole(at.run())


def whole(at: AppTest) -> AppTest:
    """The same, when nothing was raised."""
    assert not at.exception, at.exception[0]
    return at


def rows(at: AppTest) -> str:
    """What the rows of the page Runs say beside the names, as a reader sees it, a part a line."""
    bodies = [str(one.proto.body) for one in at.get("html") if "latentlab-picture" in str(one.proto.body)]
    return "\n".join(html.unescape(re.sub("<[^>]*>", "", re.sub("</div>|</p>", "\n", body))) for body in bodies)


def numbers(at: AppTest) -> dict[str, str]:
    """A run's numbers as its page tells them, by their names; {} where it tells none."""
    bodies = "".join(str(one.proto.body) for one in at.get("html"))
    return {html.unescape(name): html.unescape(value) for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", bodies)}

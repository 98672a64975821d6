"""The HTML document around the trees of a page: style, scripts, the switch between languages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from latentlab.charts import module as charts
from latentlab.explorer import module as explorer
from latentlab.report.context import Context
from latentlab.report.markup import escape, tag
from latentlab.report.shared import Shared
from latentlab.texts import catalogue, languages

# The page asks nobody. Its decoders' kernel is compiled from bytes that the page itself makes.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; "
    "base-uri 'none'; form-action 'none'"
)
SCRIPTS = ("viewer.js", "report.js")


def tree(c: Context, body: str, title: str) -> str:
    """Everything that is read in one language."""
    return tag("main", body, lang=c.lang, data_title=title, hidden=not c.first)


def document(lang: str, title: str, trees: Sequence[str], shared: Shared) -> str:
    """The whole page, opened in `lang`; `title` and the first of `trees` are in that language."""
    head = "".join([
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", escape(title)),
        f"<style>{_static('lab.css')}{charts.style()}{explorer.style()}</style>",
    ])  # fmt: skip
    script = "\n".join([explorer.module(), charts.script(), *map(_static, SCRIPTS)])
    body = f'{_switch(lang)}{"".join(trees)}\n{shared.script()}\n<script type="module">\n{script}\n</script>'
    return f'<!doctype html>\n<html lang="{escape(lang)}">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n'


def _switch(lang: str) -> str:
    """A button for each language, each in its own."""
    order = sorted(languages(), key=lambda one: one != lang)
    buttons = [
        tag("button", escape(catalogue(one)["page.language"]), type="button", lang=one, aria_pressed=str(one == lang).lower())
        for one in order
    ]
    label = " / ".join(catalogue(one)["page.languages"] for one in order)
    return tag("div", *buttons, class_="languages", role="group", aria_label=label, hidden=True)


def _static(name: str) -> str:
    return resources.files("latentlab.report").joinpath("static", name).read_text(encoding="utf-8")

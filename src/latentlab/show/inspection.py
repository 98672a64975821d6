"""What `data inspect` found, as lines of a terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.base.errors import printable
from latentlab.base.files import replace_text
from latentlab.base.images import grid, to_pil
from latentlab.base.texts import text
from latentlab.data.inspected import Inspection, contact_sheet
from latentlab.show import bundle
from latentlab.show.report.markup import Words, document, escape, small, table, tag

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
LISTED = 10  # files that a line of the terminal names
MOST = 1000  # rows of a table of the page
KINDS = ("turned", "transparent", "palette", "cmyk", "deep", "frames", "cropped", "padded", "enlarged")


def lines(found: Inspection, lang: str) -> Iterator[str]:
    """What was found, in so many lines."""
    counts, data = found.counted(), found.data
    height, width, channels = data.shape
    yield text("inspect.all", lang, spec=printable(data.spec), count=counts["used"], height=height, width=width, channels=channels)
    yield text("inspect.splits", lang, **found.splits())
    if classes := found.classes():
        yield text("inspect.classes", lang, count=len(classes), named=_some([f"{printable(name)} {n}" for name, n in classes.items()]))
    if sizes := found.sizes():
        yield text("inspect.sizes", lang, **{name: " x ".join(map(str, size)) for name, size in sizes.items()})
    for kind in KINDS:
        if counts.get(kind):
            named = _some([printable(used.path) for used in found.used if kind in used.how])
            yield text("inspect.line", lang, what=text(f"inspect.how.{kind}", lang), count=counts[kind], named=named)
    doubles = [f"{printable(used.path)} = {printable(used.double_of)}" for used in found.used if used.double_of is not None]
    skipped = [f"{printable(path)} ({why})" for path, why in found.skipped]
    for key, names in (("double", doubles), ("skipped", skipped), ("aside", [f"{n} {suffix}" for suffix, n in found.aside.items()])):
        if names:
            yield text("inspect.line", lang, what=text(f"inspect.{key}", lang), count=counts[key], named=_some(names))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (" …" if len(names) > LISTED else "")


@dataclass(frozen=True)
class _Page(Words):
    found: Inspection
    lang: str


def write_html(found: Inspection, path: Path, lang: str) -> None:
    """A page with a contact sheet, and every file that is not used as it is."""
    p = _Page(found, lang)
    picture = to_pil(grid(contact_sheet(found)))
    head = tag("p", "latentlab", class_="kicker") + tag("h1", p.say("inspect.title", spec=printable(found.data.spec)))
    summary = tag("ul", *(tag("li", escape(line)) for line in lines(found, lang)))
    sheet = tag("img", src=small(picture), alt=p.plain("inspect.sheet"), width=min(picture.width, 960))
    odd = [
        [escape(printable(used.path)), escape(used.split), escape(f"{used.width} x {used.height}"), _how(p, used.how, used.double_of)]
        for used in found.used
        if set(used.how) - {"cropped", "padded"} or used.double_of is not None
    ]
    odd += [[escape(printable(name)), p.say("inspect.skipped"), "", escape(why)] for name, why in found.skipped]
    heads = [p.say(f"inspect.column.{name}") for name in ("file", "split", "size", "what")]
    shown = table(heads, [("", odd[:MOST])], p.say("inspect.odd", count=len(odd), shown=min(len(odd), MOST))) if odd else ""
    main = tag("main", head, summary, sheet, shown)
    replace_text(
        path, document(lang, p.plain("inspect.title", spec=printable(found.data.spec)), POLICY, bundle.text("report", "lab.css"), main)
    )


def _how(p: Words, kinds: Sequence[str], double_of: str | None) -> str:
    parts = [p.say(f"inspect.how.{kind}") for kind in kinds]
    return ", ".join([*parts, *([f"{p.say('inspect.double')}: {escape(printable(double_of))}"] if double_of is not None else [])])

"""A sheet that the program writes: whatever a student typed is read back from it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.base.texts import languages
from latentlab.show.answers import LARGEST_BYTES, SECTIONS, Answers, Part, as_kept, parsed, template, written
from latentlab.show.card import options
from latentlab.show.report.markup import as_html

NASTY = (
    "## kl", "##x", "  ## A ##", "##", "##\tTab", "## \u00a0k", "### B", "# C", "```", "~~~~", "``` py", "    ```", "a\n```\n## in\n```",
    "> quoted", "prediction: one", "nom : A", "name: B", "", "  ", "\\## z", "- ## l", "    ## code", "\r\n", "\r", "\x0b", "\x0c## a",
    "\u2028", "\x85", "\0", "\ud800", "\ud83d\ude00", "```a`b", "## notes", "## Remarques", "---", "<b>",
)  # fmt: skip
LINES = st.one_of(st.sampled_from(NASTY), st.text(max_size=8))
TEXTS = st.one_of(st.text(max_size=40), st.lists(LINES, max_size=8).map("\n".join))
WORDS = st.text(max_size=30)


@st.composite
def sheets(draw: st.DrawFn) -> Answers:
    parts = {}
    for section in draw(st.sets(st.sampled_from(SECTIONS))):
        chosen = [option for option in options(section) if draw(st.booleans())]
        parts[section] = Part(",".join(chosen) or None, draw(TEXTS))
    return Answers(draw(WORDS), draw(WORDS), parts)


@settings(deadline=None, max_examples=40)
@given(sheets(), st.sampled_from(languages()))
@example(Answers("A", "", {"kl": Part(None, "> a quotation first\nprediction: one"), "notes": Part(None, "> too")}), "en")
@example(Answers("## A", "```", {"kl": Part("one", "```\nnever closed"), "notes": Part(None, "prediction: one")}), "fr")
def test_what_is_written_is_read_back(answers, lang):
    found = parsed(written(answers, lang))
    kept = {section: Part(part.prediction, as_kept(part.text)) for section, part in answers.parts.items()}
    assert dict(found.parts) == {section: part for section, part in kept.items() if part != Part(None, "")}
    assert parsed(written(found, lang)) == found


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("\n\n  code\n## Mine ##\n\n", "  code\n### Mine ##"),
        ("##tag", "\\##tag"),
        ("```\n## code\n```\n## after", "```\n## code\n```\n### after"),
        ("~~~~\n```\n## code", "~~~~\n```\n## code\n~~~~"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\0\ud800b", "a\ufffd\ufffdb"),
    ],
)
def test_a_text_looks_alike_as_it_is_kept(typed, kept):
    assert as_kept(typed) == kept
    assert as_kept(kept) == kept


def test_a_heading_and_a_tag_are_shown_as_they_were_meant():
    assert as_html(as_kept("##tag")) == "<p>##tag</p>\n"
    assert as_html(as_kept("## A")) == as_html("### A")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (Answers("A", "", {"chess": Part(None, "x")}), "a section must be one of .*, notes, the last without a prediction. Got 'chess'"),
        (Answers("A", "", {"notes": Part("one", "")}), "the last without a prediction. Got 'notes'"),
        (Answers("A", "", {"kl": Part("four", "")}), "must be a prediction out of zero, below-one, one, three, ten. Got 'four'"),
        (Answers("A" * 201, "", {}), "a name of at most 200 characters"),
        (Answers("", "", {"kl": Part(None, "x" * LARGEST_BYTES)}), "at most 1 MB. Got 1.0. MB"),
    ],
)
def test_what_a_sheet_cannot_hold_is_refused(answers, said):
    with pytest.raises(LabError, match=said):
        written(answers, "en")


@pytest.mark.parametrize("lang", languages())
def test_a_sheet_of_nobody_is_the_template(lang):
    assert written(Answers("", "", {}), lang) == template(lang)
    assert "prediction: one\n" in written(Answers("", "", {"kl": Part("one", "")}), "en")

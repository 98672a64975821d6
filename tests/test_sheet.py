"""The sheet with the questions' own texts: whatever can be predicted can be written, in either language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from latentlab.base.texts import languages, text
from latentlab.show.answers import Answers, parsed, template
from latentlab.show.card import NAMES, options


@pytest.mark.parametrize("question", NAMES)
def test_every_option_can_be_predicted_by_its_name_and_by_its_text(question):
    assert len(options(question)) >= 2
    for option in options(question):
        for words in (option, *(text(f"question.{question}.option.{option}", lang) for lang in languages())):
            assert parsed(f"name: A\n## {question}\nprediction: {words}").parts[question].predicted == (option,), words
    for lang in languages():
        every = ", ".join(text(f"question.{question}.option.{option}", lang) for option in options(question))
        assert parsed(f"name: A\n## {question}\nprediction: {every}").parts[question].predicted == tuple(options(question))


@pytest.mark.parametrize("lang", languages())
def test_the_template_has_every_question_and_is_read_as_nothing(lang):
    sheet = template(lang)
    for question in NAMES:
        assert f"\n## {question}\n" in sheet
        assert all(f"> - {option}: " in sheet for option in options(question))
    assert parsed(sheet) == Answers("", "", {})


def test_the_example_in_the_documentation_can_be_handed_in():
    words = (Path(__file__).parents[1] / "docs" / "report.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```markdown\n(.*?)```", words, flags=re.DOTALL)
    found = parsed(example)
    assert found.name == "Ada Lovelace"
    assert found.parts["kl"].predicted == ("one",)

"""The diagnosis of each run on the page, also when there is nothing to say."""

from __future__ import annotations

from latentlab.diagnosis import Finding, diagnose, facts_of, in_words
from latentlab.report.context import Context
from latentlab.report.markup import escape, tag
from latentlab.runs import RunFolder


def alarms(c: Context) -> str:
    """Every run's findings, or that there are none."""
    parts = []
    for name, folder in c.runs.items():
        found = run_findings(folder)
        said = tag("ul", *(_alarm(c, finding) for finding in found)) if found else c.paragraph("diagnosis.none")
        parts.append(tag("h3", c.label(name)) + said)
    return c.paragraph("diagnosis.intro") + "".join(parts)


def run_findings(folder: RunFolder) -> list[Finding]:
    """The findings of a run folder."""
    return diagnose(folder.metrics(), facts_of(folder.config(), folder.environment()))


def _alarm(c: Context, finding: Finding) -> str:
    words = in_words(finding, c.lang)
    title = tag("strong", escape(words.name))
    sentences = escape(f"{words.meaning} {words.evidence} {words.remedy}")
    return tag("li", title, ", ", escape(words.when), ". ", sentences)

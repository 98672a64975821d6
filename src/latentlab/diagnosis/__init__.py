"""What goes wrong in a run: rows of metrics in, keys and numbers out. Pure: no torch, no files, so that every surface can ask.

diagnose(folder.metrics(), facts_of(folder.config(), folder.environment()))      the findings of a run
in_words(finding, "en")                                                          one of them, as a reader is told it
"""

from latentlab.diagnosis.facts import Facts, facts_of
from latentlab.diagnosis.findings import KEYS, Diagnosis, Finding, diagnose
from latentlab.diagnosis.words import Words, in_words, line

__all__ = ["KEYS", "Diagnosis", "Facts", "Finding", "Words", "diagnose", "facts_of", "in_words", "line"]

"""`latentlab compare`: runs side by side, from their folders alone. No torch is loaded."""

from __future__ import annotations

from latentlab.cli.parser import Parser
from latentlab.errors import refusal


def command_compare(arguments: list[str]) -> int:
    """Compare runs."""
    parser = Parser(
        "compare",
        "Put evaluated runs side by side: mean and standard deviation over seeds where runs differ in nothing else, "
        "intervals, the floor that real images set. Runs that were not measured alike are refused.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="evaluated run folders, or folders with only a scores.json")
    parser.add_argument("--out", required=True, metavar="DIR", help="where comparison.json, comparison.md and comparison.png go")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of the table and the figure (en)")
    found = parser.parse(arguments)
    if found.lang not in ("en", "fr"):
        raise refusal("--lang", "one of en, fr", found.lang)
    from latentlab.compare import markdown, opened, write_comparison

    compared = write_comparison(found.out, opened(found.runs), found.lang)
    print(markdown(compared, found.lang))
    print(found.out)
    return 0

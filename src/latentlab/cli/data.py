"""`latentlab data fetch SPEC`."""

from __future__ import annotations

import sys

from latentlab.cli.parser import Parser
from latentlab.errors import refusal


def command_data(arguments: list[str]) -> int:
    """Data sets."""
    parser = Parser("data", "Download a data set: `latentlab data fetch mnist`.")
    parser.add_argument("action", metavar="fetch")
    parser.add_argument("spec", metavar="SPEC", help="mnist, fashion-mnist or kmnist")
    parser.add_argument("--data-root", metavar="DIR", help="where it goes; default LATENTLAB_DATA, else the platform's cache folder")
    parser.add_argument("--from", dest="address", metavar="URL", help="another https address that holds the set's files")
    found = parser.parse(arguments)
    if found.action != "fetch":
        raise refusal("the data action", "fetch", found.action, "`latentlab data fetch mnist` downloads MNIST.")
    from latentlab.data import fetch

    addresses = [found.address.rstrip("/") + "/"] if found.address else None
    print(fetch(found.spec, found.data_root, addresses, report=lambda text: print(f"latentlab: {text}", file=sys.stderr)))
    return 0

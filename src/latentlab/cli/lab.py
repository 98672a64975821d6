"""`latentlab lab`, the main job."""

from __future__ import annotations

import sys

from latentlab.cli.parser import Parser
from latentlab.errors import refusal


def command_lab(arguments: list[str]) -> int:
    """Train, compare, write lab.html."""
    parser = Parser("lab", "Train an autoencoder, a VAE, a GAN and a GAN that starts as the VAE's decoder; compare them; write lab.html.")
    parser.add_argument("--data", default="digits", metavar="SPEC", help="digits (default), mnist, fashion-mnist, kmnist or folder:PATH")
    parser.add_argument("--out", default="runs/lab", metavar="DIR", help="where it goes (runs/lab); finished runs in it are kept")
    parser.add_argument("--quick", action="store_true", help="a few steps each, to see that it works")
    parser.add_argument("--fresh", action="store_true", help="start over in a DIR that exists")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of the page (en)")
    parser.add_argument("--data-root", metavar="DIR", help="where named sets lie; default LATENTLAB_DATA, else the cache folder")
    parser.add_argument("--offline", action="store_true", help="never download")
    found = parser.parse(arguments)
    if found.lang not in ("en", "fr"):
        raise refusal("--lang", "one of en, fr", found.lang)
    from latentlab.cli.train import follow
    from latentlab.compare import table
    from latentlab.lab import run_lab
    from latentlab.session import Session

    status = 0

    def train(session: Session) -> bool:
        nonlocal status
        status = follow(session, quiet_path=True)
        return status == 0 and session.is_done()

    done = run_lab(
        found.data,
        found.out,
        quick=found.quick,
        fresh=found.fresh,
        lang=found.lang,
        follow=train,
        say=lambda text: print(f"latentlab: {text}", file=sys.stderr, flush=True),
        root=found.data_root,
        offline=found.offline,
    )
    if done is None:
        print("latentlab: the lab was stopped; the same command goes on where it was.", file=sys.stderr)
        return status
    compared, page = done
    print(table(compared))
    print(page)
    return 0

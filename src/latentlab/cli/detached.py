"""`python -m latentlab.cli.detached TASK`: run the command of a task's folder, and write down how it ended.

The studio starts this instead of the command itself, so that the end of a process that nobody waits for is known.
"""

from __future__ import annotations

import sys
from pathlib import Path

from latentlab.cli import main
from latentlab.runs.folder import RunFolder
from latentlab.studio import tasks


def run(path: Path) -> int:
    """Run the task in a folder, holding its lock."""
    task = tasks.read(path)
    if task is None:
        print(f"latentlab: {path} must hold a task.json. It holds none.", file=sys.stderr)
        return 2
    status = 1  # of an error that is no LabError: Python prints it into the log
    with RunFolder(path).locked():
        tasks.began(path)
        try:
            status = main(task.arguments)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            tasks.ended(path, status)
    return status


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))

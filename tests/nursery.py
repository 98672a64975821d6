"""A process that has imported what most commands import, and makes each command a child of its own by fork.

Such a command has its own arguments, environment, folder, pipes and process group, hears every signal and ends as one that was
started anew; only the two seconds of importing torch are spared, for each of hundreds. What a start itself is tested for starts
anew: other than by `commands.start`, or with an environment that is read before the first line of Python runs.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EARLY = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "TORCH", "LD_", "KERAS", "TF_", "MPL", "LANG", "LC_")
MODULES = ("torch", "PIL.Image", "safetensors.torch", "tqdm", "latentlab.cli.train", "latentlab.train.start", "latentlab.measure.scores")
USUAL = os.environ | {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}  # of the nursery


class Nursed(subprocess.Popen[str]):
    """`Popen` of `latentlab WORDS` with pipes, replaced where a process begins and where its end is heard of."""

    def _execute_child(self, args: Any, *more: Any) -> None:
        cwd, env, written = more[4], more[5], (more[12], more[14])  # as CPython's Popen.__init__ hands them, since 3.11
        self._ended, theirs = os.pipe()
        order = json.dumps({"words": args, "cwd": os.fspath(cwd or Path.cwd()), "env": dict(env)}).encode()
        here, process = nursery()
        socket.send_fds(here, [struct.pack("I", len(order))], [*written, theirs])
        here.sendall(order)
        for each in (*written, theirs):
            os.close(each)
        if len(told := here.recv(4, socket.MSG_WAITALL)) < 4:
            raise RuntimeError(process.communicate()[1].decode())
        (self.pid,) = struct.unpack("I", told)
        self._child_created = True

    def _try_wait(self, flags: int) -> tuple[int, int]:
        os.set_blocking(self._ended, not flags & os.WNOHANG)
        try:
            told = os.read(self._ended, 4)
        except BlockingIOError:
            return 0, 0
        os.close(self._ended)
        return self.pid, struct.unpack("i", told)[0]

    def _internal_poll(self, *_: Any, **named: Any) -> int | None:
        if self.returncode is None and (found := self._try_wait(os.WNOHANG))[0]:
            self._handle_exitstatus(found[1])
        return self.returncode


def takes(options: dict[str, Any]) -> bool:
    """Whether a command that is started with these can be nursed."""

    def early(variables: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in variables.items() if name.startswith(EARLY)}

    return sys.platform == "linux" and options.keys() <= {"cwd", "env"} and early(options["env"]) == early(USUAL)


@functools.cache
def nursery() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Where the nursery of this process of tests takes orders, and its process, which ends with it.

    Its own output is a pipe, as that of what it forks: Python looks once what it writes to.
    """
    here, there = socket.socketpair()
    here.settimeout(300)  # until a command begins
    words, pipes = [sys.executable, __file__, str(there.fileno())], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(words, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, env=USUAL, **pipes)
    there.close()
    return here, process


def serve(there: socket.socket) -> list[str] | None:
    """Fork for each order; in the new process its words. None when nobody orders any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    while True:
        head, files, _, _ = socket.recv_fds(there, 4, 3)
        if not head:
            return None
        order = json.loads(there.recv(struct.unpack("I", head)[0], socket.MSG_WAITALL))
        if not os.fork():  # the keeper, which tells of the end
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if pid := os.fork():
                os.setpgid(pid, pid)  # before anybody can ask to end the group
                there.sendall(struct.pack("I", pid))
                there.close()
                for each in files[:2]:
                    os.close(each)
                os.write(files[2], struct.pack("i", os.waitpid(pid, 0)[1]))
                os._exit(0)
            there.close()
            os.close(files[2])
            become(order, *files[:2])
            return list(order["words"])
        for each in files:
            os.close(each)


def become(order: dict[str, Any], out: int, errors: int) -> None:
    """Make this process what a shell would start."""
    with contextlib.suppress(PermissionError):
        os.setpgid(0, 0)
    for theirs, ours in ((out, 1), (errors, 2)):
        os.dup2(theirs, ours)
        os.close(theirs)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    for name in MODULES:
        __import__(name)
    gc.freeze()  # pages that are shared stay shared
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    if words is not None:
        sys.argv = ["latentlab", *words]
        runpy.run_module("latentlab", run_name="__main__", alter_sys=True)

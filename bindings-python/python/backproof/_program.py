"""The program `backproof`: the library's one function from arguments to exit status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from . import _backproof

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit status. `arguments` without the program's name; `sys.argv` otherwise.

    Signals are the program's while it runs: Ctrl-C ends it in good order, with status 130.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    before = {}
    try:
        for caught in (signal.SIGINT, signal.SIGTERM):
            before[caught] = signal.signal(caught, signal.SIG_DFL)
    except ValueError:
        pass  # not in the main thread: signals are somebody else's
    try:
        return _backproof.main(["backproof", *words])
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)

"""Command line: parses arguments, calls, and says what happened. Decides nothing else.

Exit codes: 0 it is done; 1 it failed, and standard error says what, why and what to do; 2 the
command was used wrongly. What each command needs is imported when it runs, so `linnet --help`
answers at once and `linnet serve` loads nothing that could encrypt.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The `linnet` command: runs what `sys.argv` says and exits with its code."""
    from linnet.cli.app import app
    from linnet.cli.failures import Failure

    try:
        app(prog_name="linnet")
    except Failure as failure:
        sys.stderr.write(f"{failure.told()}\n")
        sys.exit(1)

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
    from linnet.cli.failures import in_words
    from linnet.cli.output import forgiving, let_go

    forgiving()
    try:
        try:
            app(prog_name="linnet")
        except SystemExit:
            if sys.stdout is not None:
                sys.stdout.flush()  # a full disk shows only now
            raise
    except BrokenPipeError:  # nobody listens any more, and nobody need be told
        let_go()
        sys.exit(1)
    except Exception as error:
        failure = in_words(error)
        if failure is None:
            raise
        let_go()
        sys.stderr.write(f"{failure.told()}\n")
        sys.exit(1)

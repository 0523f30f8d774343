"""``python -m linescan``, and the installed command ``linescan``."""

import os
import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C is quiet also while it is still being imported."""
    given = signal.getsignal(signal.SIGINT)
    if given is signal.default_int_handler:  # else it is ignored, as a shell's "&" asks for
        signal.signal(signal.SIGINT, _leave)
    from linescan.cli import main as run

    signal.signal(signal.SIGINT, given)
    run()


def _leave(*_: object) -> None:
    """End at once: modules on their way in turn a KeyboardInterrupt into errors of their own."""
    sys.stderr.write("interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()

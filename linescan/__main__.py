"""``python -m linescan``."""

from linescan.cli import main

if __name__ == "__main__":
    main()

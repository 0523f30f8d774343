"""Makes the recordings of this folder anew, the same lines and truth: python sim_data/make.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RECORDINGS = {
    "parts": ("parts", 4096, 7),
    "surface": ("surface", 4096, 11),
    "print": ("print", 2048, 13),
}
"""Name: preset, lines, seed. Seeds below 1000 are used for neither training nor judging."""


def main() -> None:
    """Make all recordings; about 8 MB together."""
    here = Path(__file__).parent
    for name, (preset, lines, seed) in RECORDINGS.items():
        command = [
            *(sys.executable, "-m", "linescan", "simulate", "--out", str(here / name)),
            *("--preset", preset, "--lines", str(lines), "--seed", str(seed)),
            *("--width", "512", "--truth-step", "4", "--overwrite"),
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

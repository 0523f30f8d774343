"""The folder of a new recording."""

from __future__ import annotations

import shutil
from pathlib import Path

from linescan.errors import SourceError
from linescan.recording.entries import BLOCK_FOLDER, INDEX_FILE
from linescan.recording.header import HEADER_FILE
from linescan.recording.truth import TRUTH_FOLDER


def make_folder(path: Path, *, overwrite: bool) -> None:
    """Make it, or empty it of a recording that is to be replaced.

    Raises:
        SourceError: something is there that stays.
        OSError: it cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise SourceError(f"{path}: cannot record here, a file is in the way")
    if path.exists() and any(path.iterdir()):
        if not (path / HEADER_FILE).exists():
            raise SourceError(f"{path}: cannot record here, the folder holds other files")
        if not overwrite:
            raise SourceError(
                f"{path}: there is a recording already; choose another folder, or replace it "
                "with --overwrite"
            )
        # The header goes first: what a crash leaves half removed is no recording.
        (path / HEADER_FILE).unlink()
        (path / INDEX_FILE).unlink(missing_ok=True)
        for folder in (BLOCK_FOLDER, TRUTH_FOLDER):
            if (path / folder).is_dir():
                shutil.rmtree(path / folder)
    (path / BLOCK_FOLDER).mkdir(parents=True, exist_ok=True)

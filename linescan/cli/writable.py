"""Refusing before the work what could not be written after it."""

from __future__ import annotations

import os
from pathlib import Path

from linescan.errors import LinescanError


def check_writable(file: Path | None, *, makes_folder: bool = False) -> None:
    """Make sure that a file can be written, as far as can be told without writing it.

    Args:
        file: to be written later; None is nothing to write.
        makes_folder: whoever writes it makes its folder.

    Raises:
        LinescanError: it is a folder, its folder is none, or may not be written to.
    """
    if file is None:
        return
    if file.is_dir():
        raise LinescanError(f"{file}: is a folder, a file is to be written there")
    folder = file.resolve().parent
    while makes_folder and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.exists():
        raise LinescanError(f"{file}: its folder does not exist")
    if not folder.is_dir():
        raise LinescanError(f"{file}: cannot be written: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LinescanError(f"{file}: cannot be written: no permission for {folder}")

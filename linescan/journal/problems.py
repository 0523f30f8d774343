"""One sentence for what the disk did not take."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Final

from linescan.errors import JournalError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_full(error: OSError) -> bool:
    """Whether there was no room."""
    return error.errno in _FULL


def write_error(folder: Path, error: OSError) -> JournalError:
    """What failed, where, and what to do."""
    why = error.strerror or str(error)
    if is_full(error):
        try:
            free = f" ({shutil.disk_usage(folder).free / 1e6:.1f} MB are free)"
        except OSError:
            free = ""
        return JournalError(
            f"{folder}: the journal's disk is full{free}: free space there, or lower journal.max_gb"
        )
    return JournalError(
        f"{folder}: the journal cannot be written: {why}; see to the disk, or set journal.folder to"
        f" a place that this user may write to"
    )

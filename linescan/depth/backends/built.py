"""What engines build when they load, kept in a folder of their own."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


def writable(folder: Path | None) -> Path | None:
    """The folder, made; None where nothing is to be kept, or can be."""
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        log.warning("built engines are not kept, each start builds anew: %s", error)
        return None

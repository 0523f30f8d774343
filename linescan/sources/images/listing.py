"""Which files of a folder are images, in natural order."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from linescan.errors import SourceError

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"})
KINDS = "PNG, TIFF, BMP or JPEG"

_log = logging.getLogger(__name__)


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key with which ``line2`` comes before ``line10``."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def list_images(path: Path) -> list[Path]:
    """The image at ``path``, or the images in that folder, in natural order.

    Raises:
        SourceError: there is no such file or folder, or it holds no images.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise SourceError(f"{path}: no such image or folder")
    try:
        files = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"{path}: the folder cannot be read: {error.strerror}") from error
    images = [p for p in files if p.suffix.lower() in SUFFIXES]
    if not images:
        other = f"it holds {len(files)} other files" if files else "it holds no files"
        raise SourceError(f"{path}: no {KINDS} images in this folder; {other}")
    if len(images) < len(files):
        _log.info("%s: %d files are no images and left out", path, len(files) - len(images))
    return sorted(images, key=lambda p: natural_key(p.name))

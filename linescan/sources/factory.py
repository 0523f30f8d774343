"""From a configuration to its source; only what that source needs is imported."""

from __future__ import annotations

from pathlib import Path

from linescan.config import (
    GenicamSource,
    ImagesSource,
    RecordingSource,
    SimulatedSource,
)
from linescan.config import Source as SourceSection
from linescan.errors import SourceError
from linescan.sources.base import Source


def open_source(section: SourceSection) -> Source:
    """The source that a configuration asks for; its ``open`` does the work and finds the errors."""
    match section:
        case RecordingSource():
            from linescan.sources.recording import RecordingPlayer

            return RecordingPlayer(section)
        case ImagesSource():
            from linescan.sources.images import ImagesPlayer

            return ImagesPlayer(section)
        case SimulatedSource():
            from linescan.sources.simulated import SimulatedCamera

            return SimulatedCamera(section)
        case GenicamSource(virtual=None):
            from linescan.sources.genicam import GenicamCamera

            return GenicamCamera(section)
        case GenicamSource():
            from linescan.sources.virtual import VirtualCamera

            return VirtualCamera(section)


def guess_source(path: Path) -> RecordingSource | ImagesSource:
    """What is to be played from a path: a recording, a folder of images, or one image.

    Raises:
        SourceError: it is none of these.
    """
    from linescan.recording.header import HEADER_FILE
    from linescan.sources.images.listing import KINDS, SUFFIXES, list_images

    if not path.exists():
        raise SourceError(f"{path}: no such recording, folder of images or image")
    if path.name == HEADER_FILE or (path / HEADER_FILE).is_file():
        return RecordingSource(path=path)
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise SourceError(f"{path}: neither a recording nor a {KINDS} image")
        return ImagesSource(path=path)
    try:
        list_images(path)
    except SourceError as error:
        inside = sorted(p.parent.name for p in path.glob(f"*/{HEADER_FILE}"))
        if inside:
            raise SourceError(
                f"{path}: choose one of the recordings in it: {', '.join(inside)}"
            ) from error
        raise SourceError(
            f"{path}: neither a recording (it has no {HEADER_FILE}) nor a folder of {KINDS} images"
        ) from error
    return ImagesSource(path=path)

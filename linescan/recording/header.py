"""``recording.yaml``: what a recording holds and where it comes from."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from linescan.config.base import Section
from linescan.config.genicam import Pitch
from linescan.errors import SourceError
from linescan.version import __version__

HEADER_FILE = "recording.yaml"
VERSION = 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Provenance(Section):
    """Where a recording comes from."""

    software: str = Field(default_factory=lambda: f"linescan {__version__}")
    """Name and version of the software that wrote it."""
    source: str = ""
    """What the lines were taken from, in words."""
    created: str = Field(default_factory=_now)
    """When it was begun: UTC, ISO 8601."""
    seed: int | None = None
    """Seed of a simulated web."""
    note: str = ""
    """Anything else worth knowing."""


class HeightEncoding(Section):
    """How true heights are stored: ``height_mm = value * scale + offset``."""

    step: PositiveInt = 1
    """One value stands for the mean of step x step camera pixels."""
    dtype: Literal["float32", "float16", "uint16"] = "float32"
    """Type of the stored values; 65535 in uint16 and NaN in the others mean unknown."""
    scale: PositiveFloat = 1.0
    """Millimetres per stored unit."""
    offset: float = 0.0
    """Millimetres at the stored value 0."""


class TruthHeader(Section):
    """What is known of the web, for simulated webs."""

    first_line: int
    """Line of the first row of heights and labels."""
    lines: NonNegativeInt
    """Lines that heights and labels stand for."""
    piece_lines: PositiveInt
    """Lines in each file of heights or labels; the last one holds the rest."""
    height: HeightEncoding
    """How ``truth/height/*.npy`` is to be read."""
    labels: bool
    """Whether ``truth/labels/*.png`` is there: 16-bit object ids at full resolution."""
    objects: bool
    """Whether ``truth/objects.csv`` is there."""


class Header(Section):
    """The content of ``recording.yaml``."""

    format: Literal["linescan-recording"] = "linescan-recording"
    """Says that this is a recording."""
    version: Literal[1] = 1
    """Version of the format."""
    camera: str = "web-1"
    """Name of the camera."""
    width: PositiveInt
    """Pixels across the web."""
    dtype: Literal["uint8", "uint16"]
    """Type of a pixel."""
    bits: Annotated[int, Field(ge=1, le=16)]
    """Bit depth: pixels are smaller than 2 to this power."""
    line_rate_hz: PositiveFloat | None = None
    """Lines per second, where known."""
    pitch: Pitch = Pitch()
    """Size of a camera pixel on the web, where known."""
    complete: bool = False
    """False while it is being written, and for ever where that was cut short."""
    first_line: int | None = None
    """Absolute number of the first line or loss."""
    lines: NonNegativeInt = 0
    """Lines in the block files."""
    lost: NonNegativeInt = 0
    """Lines that the source reported lost."""
    encoder: bool = False
    """Whether encoder ticks were recorded."""
    provenance: Provenance = Field(default_factory=Provenance)
    """Where it comes from."""
    truth: TruthHeader | None = None
    """What is known of the web, for simulated webs."""


def read_header(folder: Path) -> Header:
    """Read and check ``recording.yaml``.

    Raises:
        SourceError: it is missing, unreadable, or breaks the schema.
    """
    path = folder / HEADER_FILE
    if not folder.exists():
        raise SourceError(f"{folder}: no such recording")
    if not path.is_file():
        raise SourceError(f"{folder}: not a recording, it has no {HEADER_FILE}")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        text = " ".join(str(error).split())
        raise SourceError(f"{path}: not valid YAML: {text}") from error
    if not isinstance(data, dict):
        raise SourceError(f"{path}: expected keys such as 'format:' and 'width:'")
    version = data.get("version")
    if isinstance(version, int) and version > VERSION:
        raise SourceError(
            f"{path}: 'version': the recording has format version {version}, this software reads "
            f"up to {VERSION}; update linescan"
        )
    try:
        header = Header.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            raise SourceError(f"{path}: '{key}' is missing") from error
        if first["type"] == "extra_forbidden":
            raise SourceError(f"{path}: unknown key '{key}'") from error
        raise SourceError(f"{path}: '{key}': {first['msg']}, got {first['input']!r}") from error
    if header.dtype == "uint8" and header.bits > 8:
        raise SourceError(f"{path}: 'bits': uint8 pixels hold 8 bits, got {header.bits}")
    return header


def write_header(folder: Path, header: Header) -> None:
    """Write ``recording.yaml`` so that either the old or the new one is there, whole.

    Raises:
        OSError: it cannot be written.
    """
    part = folder / f"{HEADER_FILE}.part"
    text = yaml.safe_dump(header.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / HEADER_FILE)

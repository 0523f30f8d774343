"""The flat-field reference: each column's offset (DSNU) and gain (PRNU), and its file.

The model is the linear one of EMVA 1288 (release 4.0, section 2.3): a column answers with its own
offset and its own gain, and ``corrected = (raw - offset) * gain``.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from linescan.errors import CalibrationError
from linescan.records import FloatArray

FORMAT: Final = "linescan-flat-field"
VERSION: Final = 1
AGAIN: Final = "make it again with 'linescan calibrate flat-field'"


@dataclass(frozen=True, slots=True, eq=False)
class FlatField:
    """Offset and gain of each column.

    Attributes:
        offset: (width,) float32, gray values of a column without light.
        gain: (width,) float32, factor that makes all columns answer alike.
        bits: bits of a pixel value that are in use; corrected values stay below 2 to this power.
        created: when it was measured: UTC, ISO 8601.
        about: how it was measured, as plain data: sources, lines, levels, doubtful columns.
    """

    offset: FloatArray
    gain: FloatArray
    bits: int
    created: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.offset.size)

    @property
    def id(self) -> str:
        """Name of this very reference: made of its values and date."""
        digest = hashlib.sha256(f"{self.bits} {self.created} {self.width}".encode())
        for values in (self.offset, self.gain):
            digest.update(np.ascontiguousarray(values, "<f4").tobytes())
        return f"ff-{digest.hexdigest()[:16]}"

    def check_fits(self, width: int, bits: int, name: object) -> None:
        """Refuse lines that the reference was not made for.

        Args:
            width: of the lines, in pixels.
            bits: of their pixel values.
            name: what to call the reference.

        Raises:
            CalibrationError: width or bit depth differ.
        """
        if (width, bits) != (self.width, self.bits):
            raise CalibrationError(
                f"{name}: the flat field is for {self.width} pixels of {self.bits} bits, the lines "
                f"have {width} pixels of {bits} bits; set the camera as it was, or {AGAIN}"
            )


def save_flat_field(reference: FlatField, path: Path) -> None:
    """Write the reference so that either the old file or the new one is there, whole.

    Raises:
        CalibrationError: it cannot be written.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "id": reference.id,
        "width": reference.width,
        "bits": reference.bits,
        "created": reference.created,
        "about": dict(reference.about),
    }
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(
                file,
                header=np.array(json.dumps(header)),
                offset=reference.offset,
                gain=reference.gain,
            )
        part.replace(path)
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be written: {error.strerror}") from error


def load_flat_field(path: Path) -> FlatField:
    """Read and check a reference.

    Raises:
        CalibrationError: it is missing, no flat field, of a later version, or damaged.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            offset, gain = file["offset"], file["gain"]
    except FileNotFoundError as error:
        raise CalibrationError(
            f"{path}: no such flat field; make one with 'linescan calibrate flat-field'"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CalibrationError(f"{path}: not a flat field that can be read; {AGAIN}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CalibrationError(f"{path}: not a flat field; {AGAIN}")
    if header.get("version") != VERSION:
        raise CalibrationError(
            f"{path}: format version {header.get('version')}, this software reads {VERSION}; "
            "update linescan"
        )
    reference = _reference(header, offset, gain)
    if reference is None or reference.id != header.get("id"):
        raise CalibrationError(f"{path}: the file is damaged or was changed; {AGAIN}")
    return reference


def _reference(header: Mapping[str, Any], offset: Any, gain: Any) -> FlatField | None:
    """The reference, None where its parts do not go together."""
    bits, about = header.get("bits"), header.get("about")
    good = (
        offset.ndim == 1
        and offset.size > 0
        and offset.shape == gain.shape
        and offset.dtype == gain.dtype == np.float32
        and bool(np.isfinite(offset).all() and np.isfinite(gain).all())
        and isinstance(bits, int)
        and 1 <= bits <= 16
        and isinstance(about, dict)
    )
    return FlatField(offset, gain, bits, str(header.get("created")), about) if good else None  # type: ignore[arg-type]

"""Depth as a 16-bit gray PNG with its meaning in a JSON file beside it.

The pixels are those of the kind ``depth.u16``, see ``linescan.protocol.depth16``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from linescan.errors import LinescanError
from linescan.pictures.files import encode_png, write_whole
from linescan.pictures.opencv import load_cv2
from linescan.protocol.depth16 import INVALID, Pixels, decode_depth16, encode_depth16
from linescan.records import BoolArray, Convention, DepthMap, WebMap, true_runs

SCHEMA = "linescan-depth16/1"


def write_depth16(
    path: Path, depth: DepthMap, *, about: Mapping[str, str | int | None] | None = None
) -> tuple[Path, Path]:
    """Write the PNG and, before it, the JSON file of the same name.

    Args:
        path: the PNG to write.
        depth: the depth map.
        about: more to note in the JSON file: camera, seq, first_line, line_count …

    Returns:
        The paths of both files.

    Raises:
        LinescanError: a file cannot be written.
    """
    values = np.where(depth.valid[:, None], depth.values, np.float32(np.nan))
    pixels, scale, offset = encode_depth16(values)
    sidecar: dict[str, Any] = {
        "schema": SCHEMA,
        "picture": path.name,
        "shape": list(pixels.shape),
        "scale": scale,
        "offset": offset,
        "invalid": INVALID,
        "unit": depth.unit,
        "convention": str(depth.convention),
        "applied_scale": depth.scale,
        "applied_shift": depth.shift,
        "confidence": depth.confidence,
        "valid_rows": [[run.first, run.count] for run in true_runs(depth.valid)],
        "web": dataclasses.asdict(depth.web),
    }
    sidecar |= {key: value for key, value in (about or {}).items() if value is not None}
    beside = path.with_suffix(".json")
    write_whole(beside, (json.dumps(sidecar, indent=2) + "\n").encode())
    write_whole(path, encode_png(pixels))
    return path, beside


def read_depth16(path: Path) -> tuple[DepthMap, Mapping[str, Any]]:
    """Read a PNG with its JSON file.

    Returns:
        The depth map and all that the JSON file says.

    Raises:
        LinescanError: a file is missing, broken, or does not match the other.
    """
    beside = path.with_suffix(".json")
    sidecar = _read_sidecar(beside)
    pixels = _read_pixels(path)
    try:
        if sidecar["schema"] != SCHEMA:
            raise LinescanError(f"{beside}: schema is {sidecar['schema']!r}, expected {SCHEMA!r}")
        if list(pixels.shape) != sidecar["shape"]:
            raise LinescanError(
                f"{path}: the picture has {pixels.shape[0]}×{pixels.shape[1]} pixels, "
                f"{beside.name} says {sidecar['shape']}: they do not belong together"
            )
        depth = DepthMap(
            values=decode_depth16(pixels, float(sidecar["scale"]), float(sidecar["offset"])),
            convention=Convention(sidecar["convention"]),
            unit=str(sidecar["unit"]),
            scale=float(sidecar["applied_scale"]),
            shift=float(sidecar["applied_shift"]),
            confidence=sidecar["confidence"],
            valid=_valid_rows(sidecar["valid_rows"], pixels.shape[0]),
            web=WebMap(**sidecar["web"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LinescanError(f"{beside}: not a depth sidecar: {error!r}") from error
    return depth, sidecar


def _read_sidecar(path: Path) -> dict[str, Any]:
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LinescanError(f"{path}: cannot read the depth picture's scale: {error}") from error
    if not isinstance(sidecar, dict):
        raise LinescanError(f"{path}: expected a JSON object with the depth picture's scale")
    return sidecar


def _read_pixels(path: Path) -> Pixels:
    cv2 = load_cv2()
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise LinescanError(f"{path}: cannot read the depth picture: {error}") from error
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise LinescanError(f"{path}: expected a 16-bit gray PNG")
    return np.asarray(pixels, np.uint16)


def _valid_rows(runs: list[list[int]], rows: int) -> BoolArray:
    valid = np.zeros(rows, np.bool_)
    for first, count in runs:
        valid[first : first + count] = True
    return valid

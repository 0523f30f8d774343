"""The card of an exported model: what its ONNX file says about itself."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from linescan.depth.header import FLOAT, UINT8, Header, read_header
from linescan.depth.models import PATCH, ModelFile, find
from linescan.depth.record import read_record, record_path
from linescan.errors import ModelError, install_hint
from linescan.records import Convention

log = logging.getLogger(__name__)

MAX_PATCHES = 292
"""Most patches along one side of the input."""
WEIGHTS = Path(__file__).parent / "weights"
"""Where the embedded models are."""
PREFIX = "linescan."
"""Of the keys in the file's metadata."""
INPUT, OUTPUT = "gray", "depth"
"""Names of the model's input, (1, 1, h, w) uint8, and output, (1, h, w) float32."""
RGB_INPUT = "rgb"
"""Name of the input of a model for comparisons, (1, 3, h, w) uint8."""
ROWS, COLUMNS = "rows", "columns"
"""Names of the free dimensions of a dynamic model."""
FRAME, ENCODER, HEAD = "frame/", "encoder/", "head/"
"""What the names of a graph's nodes begin with: the resize of the frame, where there is one, and
the two parts of the network."""
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
"""What a file's own arithmetic may be."""
Sides = tuple[int, int]
"""Rows and columns."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What an exported model says about itself.

    Attributes:
        name: the model's name, for results and messages.
        path: its file.
        sha256: of the file, hexadecimal.
        convention: what larger outputs mean, once ``scale`` and ``shift`` are applied.
        unit: of the scaled output: ``"relative"``, ``"um"`` or ``"mm"``.
        scale: factor for the model's output.
        shift: added after the factor.
        noise_floor: differences of the scaled output below it mean nothing; 0 where not known.
        licence: of the weights.
        source: the checkpoint it was exported from.
        input_size: rows and columns it was trained at, or, where not dynamic, takes only.
        dynamic: any rows and columns that are multiples of 14 will do.
        channels: of its image: 1 (gray), or 3 (RGB, kept for comparisons).
        frame_size: rows and columns of the camera frames it takes and resizes itself; None where it
            takes images of the model's size.
        precision: what the file's own arithmetic is: ``"fp32"``, or ``"fp16"``, ``"bf16"`` or
            ``"int8"`` where its encoder was converted.
        features: names of the tensors in which the encoder hands over to the head.
        stamp: of the file as it was read: time of its last change in ns, bytes, inode.
        verification: what the export measured, from the file beside the model (see
            ``linescan.depth.record``); empty where there is none of this very file.
    """

    name: str
    path: Path
    sha256: str
    convention: Convention
    unit: str
    scale: float
    shift: float
    noise_floor: float
    licence: str
    source: str
    input_size: tuple[int, int]
    dynamic: bool
    verification: Mapping[str, Any]
    channels: int = 1
    frame_size: tuple[int, int] | None = None
    precision: str = "fp32"
    features: tuple[str, ...] = ()
    stamp: tuple[int, int, int] | None = field(default=None, compare=False)

    def require_unchanged(self) -> None:
        """Make sure that the file is still the one that was read, before it is loaded again.

        Its content is hashed only where time, size or inode differ.

        Raises:
            ModelError: it has gone, or has another content.
        """
        try:
            changed = _stamp(self.path) != self.stamp and sha256(self.path) != self.sha256
        except OSError as error:
            raise ModelError(
                f"{self.path}: the model's file cannot be read any more: {error}"
            ) from error
        if changed:
            raise ModelError(
                f"{self.path}: the file was changed since it was read: restart with the new one"
            )

    @property
    def input_name(self) -> str:
        """Name of the file's input: ``gray`` or ``rgb``."""
        return INPUT if self.channels == 1 else RGB_INPUT

    def image_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Shape of the uint8 image that an engine of the model input ``size`` takes.

        (rows, columns), or (rows, columns, 3) for RGB.
        """
        rows, columns = self.frame_size or size
        return (rows, columns) if self.channels == 1 else (rows, columns, self.channels)

    def resolve_size(self, size: tuple[int, int] | str) -> tuple[int, int]:
        """Rows and columns for a configured size, where ``"auto"`` is the model's own.

        Raises:
            ModelError: the model cannot run at that size.
        """
        if isinstance(size, str) or size == self.input_size:
            return self.input_size
        rows, columns = size
        if not self.dynamic:
            own = "x".join(map(str, self.input_size))
            raise ModelError(
                f"{self.path}: exported for {own} only, depth.size asks for {rows}x{columns}: set "
                f"depth.size to auto, or export the model for that size"
            )
        if min(size) < 2 * PATCH or rows % PATCH or columns % PATCH:
            raise ModelError(
                f"depth.size {rows}x{columns}: rows and columns must be multiples of {PATCH}, "
                f"at least {2 * PATCH}"
            )
        return size

    def fit(self, rows: int, columns: int) -> tuple[int, int]:
        """The input size for frames of another shape: their aspect, and as many pixels as usual.

        A model that is not dynamic keeps its own size.
        """
        if not self.dynamic:
            return self.input_size
        pixels = self.input_size[0] * self.input_size[1]
        height = math.sqrt(pixels * rows / columns)
        sides = (height, pixels / height)
        fitted = [max(2, min(round(side / PATCH), MAX_PATCHES)) * PATCH for side in sides]
        return fitted[0], fitted[1]


def read_card(model: str | Path | ModelFile) -> ModelCard:
    """Read a model's card and check that its inputs and outputs are as they should be.

    Raises:
        ModelError: no such file, no ONNX model, one that is cut short, or not one of this
            project's export.
    """
    file = model if isinstance(model, ModelFile) else find(model)
    stamp = _stamp(file.path)
    header = read_header(file.path)
    meta = header.metadata
    channels, taken, made = _check_signature(file.path, header)
    dynamic = not all(isinstance(n, int) for n in made)
    digest = sha256(file.path)
    try:
        return ModelCard(
            name=meta[PREFIX + "name"],
            path=file.path,
            sha256=digest,
            convention=Convention(meta[PREFIX + "convention"]),
            unit=meta[PREFIX + "unit"],
            scale=float(meta[PREFIX + "scale"]),
            shift=float(meta[PREFIX + "shift"]),
            noise_floor=float(meta[PREFIX + "noise_floor"]),
            licence=meta[PREFIX + "licence"],
            source=meta[PREFIX + "source"],
            input_size=_size(meta[PREFIX + "input_size"]) if dynamic else made,
            dynamic=dynamic,
            verification=_verification(file.path, digest),
            stamp=stamp,
            channels=channels,
            frame_size=taken if taken != made else None,
            precision=_one_of(meta[PREFIX + "precision"], PRECISIONS),
            features=tuple(map(str, json.loads(meta[PREFIX + "features"]))),
        )
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{file.path}: its metadata lacks or breaks {error}: make the file with "
            f"'linescan model export'"
        ) from error


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime, or a ``ModelError`` that says how to get it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"depth needs ONNX Runtime; {install_hint('cpu')}, or .[gpu] for NVIDIA GPUs ({error})"
        ) from error
    return onnxruntime  # type: ignore[no-any-return]


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_signature(path: Path, header: Header) -> tuple[int, Sides, Sides]:
    """Channels, and rows and columns of input and output; a free side is its name, not a number."""
    if len(header.inputs) == len(header.outputs) == 1:
        (given,), (output,) = header.inputs, header.outputs
        channels = {INPUT: 1, RGB_INPUT: 3}.get(given.name)
        right = given.element == UINT8 and given.shape[:2] == (1, channels)
        right = right and (output.name, output.element) == (OUTPUT, FLOAT)
        if right and channels and (len(given.shape), len(output.shape)) == (4, 3):
            taken, made = given.shape[2:], output.shape[1:]
            if taken == made or all(isinstance(side, int) for side in (*taken, *made)):
                return channels, cast(Sides, taken), cast(Sides, made)
    found = ", ".join(f"'{each.name}' {list(each.shape)}" for each in header.inputs)
    raise ModelError(
        f"{path}: expected one input '{INPUT}' uint8 (1, 1, rows, columns) or '{RGB_INPUT}' "
        f"(1, 3, rows, columns) and one output '{OUTPUT}' float32 (1, rows, columns), found input "
        f"{found or 'none'}: make the file with 'linescan model export'"
    )


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _verification(path: Path, digest: str) -> Mapping[str, Any]:
    """What was measured of this very file; empty where there is no record of it.

    Raises:
        ModelError: the file is part of the installation and not the one that was verified.
    """
    try:
        record = read_record(path)
    except ModelError:
        return {}
    verified = record["sha256"]
    if verified == digest:
        return record
    said = (
        f"{path}: not the file that was verified: its SHA-256 is {digest[:12]}…, "
        f"{record_path(path).name} says {verified[:12]}…"
    )
    if path.parent == WEIGHTS:
        raise ModelError(f"{said}: install linescan again")
    log.warning("%s; copy both again or export the model again", said)
    return {}


def _one_of(text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ValueError(f"precision {text!r}")
    return text


def _size(text: str) -> tuple[int, int]:
    rows, columns = json.loads(text)
    return int(rows), int(columns)

"""The card of an exported model: what its ONNX file says about itself."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from linescan.depth.models import PATCH, ModelFile, find
from linescan.errors import ModelError, install_hint
from linescan.records import Convention

MAX_PATCHES = 292
"""Most patches along one side of the input."""
PREFIX = "linescan."
"""Of the keys in the file's metadata."""
INPUT, OUTPUT = "gray", "depth"
"""Names of the model's input, (1, 1, h, w) uint8, and output, (1, h, w) float32."""
ROWS, COLUMNS = "rows", "columns"
"""Names of the free dimensions of a dynamic model."""


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
        verification: what the export measured, see ``linescan.depth.export``.
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
        ModelError: no such file, no ONNX model, a damaged one, or not one of this project's export.
    """
    file = model if isinstance(model, ModelFile) else find(model)
    session = _open(file.path)
    meta = session.get_modelmeta().custom_metadata_map
    shape = _check_signature(file.path, session)
    dynamic = not all(isinstance(n, int) for n in shape)
    try:
        return ModelCard(
            name=meta[PREFIX + "name"],
            path=file.path,
            sha256=sha256(file.path),
            convention=Convention(meta[PREFIX + "convention"]),
            unit=meta[PREFIX + "unit"],
            scale=float(meta[PREFIX + "scale"]),
            shift=float(meta[PREFIX + "shift"]),
            noise_floor=float(meta[PREFIX + "noise_floor"]),
            licence=meta[PREFIX + "licence"],
            source=meta[PREFIX + "source"],
            input_size=_size(meta[PREFIX + "input_size"]) if dynamic else shape,
            dynamic=dynamic,
            verification=json.loads(meta[PREFIX + "verification"]),
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


def _open(path: Path) -> Any:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path}: not an ONNX model, or a damaged one: export or copy it again ({reason})"
        ) from error


def _check_signature(path: Path, session: Any) -> tuple[int, int]:
    """Rows and columns of the input; a free dimension is its name instead of a number."""
    inputs = [(i.name, i.type, i.shape) for i in session.get_inputs()]
    outputs = [(o.name, o.type, len(o.shape)) for o in session.get_outputs()]
    right = len(inputs) == 1 and inputs[0][:2] == (INPUT, "tensor(uint8)")
    right = right and len(inputs[0][2]) == 4 and inputs[0][2][:2] == [1, 1]
    if not right or outputs != [(OUTPUT, "tensor(float)", 3)]:
        found = ", ".join(f"{name} {kind} {shape}" for name, kind, shape in inputs)
        raise ModelError(
            f"{path}: expected one input '{INPUT}' uint8 (1, 1, rows, columns) and one output "
            f"'{OUTPUT}' float32 (1, rows, columns), found input {found}: make the file with "
            f"'linescan model export'"
        )
    rows, columns = inputs[0][2][2:]
    return rows, columns


def _size(text: str) -> tuple[int, int]:
    rows, columns = json.loads(text)
    return int(rows), int(columns)

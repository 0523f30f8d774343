"""The record of an export's verification: a JSON file beside the model.

It is apart from the model because it says what was measured of the finished file, by its SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linescan.errors import ModelError

SUFFIX = ".verification.json"


def record_path(model: Path) -> Path:
    """Where the record of an .onnx file lies: NAME.verification.json beside it."""
    return model.with_name(model.stem + SUFFIX)


def read_record(model: Path) -> dict[str, Any]:
    """The record beside an .onnx file.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    path = record_path(model)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: no such file; it belongs beside {model.name} and says what the export "
            f"verified: copy it from where the model was exported, or export again"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: damaged: {error}; copy it or export the model again") from error
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), str):
        raise ModelError(f"{path}: not the record of an export: copy it or export the model again")
    return record


def write_record(model: Path, record: Mapping[str, Any]) -> None:
    """Write the record of an .onnx file, in one step."""
    path = record_path(model)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    part.replace(path)

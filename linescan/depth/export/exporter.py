"""The export, step by step: find, load, trace, prove, keep."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from linescan.depth.card import ModelCard, read_card
from linescan.depth.export.checkpoint import Checkpoint, find_checkpoint, load_model
from linescan.depth.export.report import (
    MAX_ERROR,
    MAX_STORAGE_ERROR,
    Check,
    ExportReport,
    Storage,
    verification,
)
from linescan.depth.models import PATCH, REGISTRY, ModelFile, model_folder
from linescan.errors import ModelError, install_hint
from linescan.records import Convention

Progress = Callable[[str, float], None]
"""Called with what is being done and the share, 0 to 1, that is done."""

NEEDED = ("torch", "transformers", "huggingface_hub", "onnx", "onnxscript")


def export(
    checkpoint: str | Path,
    out: Path | None = None,
    *,
    size: tuple[int, int] | None = None,
    dynamic: bool = False,
    storage: Storage = "fp32",
    acknowledge_licence: bool = False,
    convention: Convention | None = None,
    name: str | None = None,
    progress: Progress = lambda _text, _share: None,
) -> ExportReport:
    """Turn a checkpoint into an ONNX file and prove that it computes the same.

    The file takes gray uint8 images ``gray`` (1, 1, h, w) and gives ``depth`` (1, h, w) float32.
    It is written beside ``out`` and renamed once it has passed: a failure leaves nothing behind,
    and an older file as it was.

    Args:
        checkpoint: a registry name, a local folder in the Hugging Face format, or a hub id.
        out: the .onnx file; the model folder's file of that name where None.
        size: rows and columns, multiples of 14; the checkpoint's own where None.
        dynamic: leave rows and columns free.
        storage: of the weights; ``"fp16"`` halves the file.
        acknowledge_licence: the user has read that the licence forbids commercial use.
        convention: what larger outputs mean, where the checkpoint does not say it.
        name: the model's name; the checkpoint's own where None.
        progress: see ``Progress``.

    Raises:
        ModelError: something is missing, wrong or not permitted, or the file does not agree with
            the original within ``MAX_ERROR`` (with fp16 storage ``MAX_STORAGE_ERROR``).
    """
    started = time.monotonic()
    _require()
    progress("finding the checkpoint", 0.0)
    found = find_checkpoint(
        checkpoint, acknowledge_licence=acknowledge_licence, convention=convention, name=name
    )
    size = _check_size(size or found.input_size)
    path = _out_path(out, found.name)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        checks, storage_checks = _make(part, found, size, dynamic, storage, progress)
        card = read_card(ModelFile(found.name, part))
        part.replace(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot write the model: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    progress("done", 1.0)
    return _report(path, card, size, storage, checks, storage_checks, time.monotonic() - started)


def _make(
    part: Path,
    found: Checkpoint,
    size: tuple[int, int],
    dynamic: bool,
    storage: Storage,
    progress: Progress,
) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    from linescan.depth.export.fold import fold
    from linescan.depth.export.graph import set_metadata, store_fp16, to_onnx
    from linescan.depth.export.verify import compare, references, sizes_to_check

    progress("loading the weights", 0.05)
    model = load_model(found)
    if model.config.patch_size != PATCH:
        raise ModelError(f"{found.folder}: patch size {model.config.patch_size}, expected {PATCH}")
    progress("running the original model", 0.15)
    made = references(model, found, sizes_to_check(size, dynamic=dynamic))
    progress("tracing the model", 0.3)
    proto = to_onnx(fold(model, found.mean, found.std), size, dynamic=dynamic)
    del model
    progress("comparing with the original", 0.7)
    part.write_bytes(proto.SerializeToString())
    checks = compare(part, made, MAX_ERROR)
    storage_checks: tuple[Check, ...] = ()
    if storage == "fp16":
        progress("comparing with weights in fp16", 0.85)
        store_fp16(proto)
        part.write_bytes(proto.SerializeToString())
        storage_checks = compare(part, made, MAX_STORAGE_ERROR)
    set_metadata(proto, _metadata(found, size, verification(storage, checks, storage_checks)))
    part.write_bytes(proto.SerializeToString())
    return checks, storage_checks


def _metadata(found: Checkpoint, size: tuple[int, int], verified: dict[str, Any]) -> dict[str, str]:
    return {
        "name": found.name,
        "convention": str(found.convention),
        "unit": found.unit,
        "scale": repr(found.scale),
        "shift": repr(found.shift),
        "noise_floor": repr(found.noise_floor),
        "licence": found.licence,
        "source": found.source,
        "input_size": json.dumps(size),
        "verification": json.dumps(verified),
    }


def _report(
    path: Path,
    card: ModelCard,
    size: tuple[int, int],
    storage: Storage,
    checks: tuple[Check, ...],
    storage_checks: tuple[Check, ...],
    seconds: float,
) -> ExportReport:
    return ExportReport(
        name=card.name,
        path=path,
        nbytes=path.stat().st_size,
        sha256=card.sha256,
        size=size,
        dynamic=card.dynamic,
        licence=card.licence,
        storage=storage,
        checks=checks,
        storage_checks=storage_checks,
        seconds=seconds,
    )


def _require() -> None:
    for package in NEEDED:
        try:
            import_module(package)
        except ImportError as error:
            raise ModelError(
                f"exporting a model needs the package {package}; {install_hint('export')} ({error})"
            ) from error


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < 2 * PATCH or any(n % PATCH for n in size):
        raise ModelError(
            f"size {size[0]}x{size[1]}: rows and columns must be multiples of {PATCH}, "
            f"at least {2 * PATCH}"
        )
    return size


def _out_path(out: Path | None, name: str) -> Path:
    if out is not None:
        if out.suffix != ".onnx":
            raise ModelError(f"{out}: the file to write must end in .onnx")
        return out
    if name in REGISTRY and REGISTRY[name].embedded:
        raise ModelError(
            f"'{name}' is the name of an embedded model: give another name, or the file to write"
        )
    return model_folder() / f"{name}.onnx"

"""The export, step by step: find, load, trace, prove, keep."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from linescan.depth.card import MAX_PATCHES, ModelCard, read_card
from linescan.depth.export.checkpoint import find_checkpoint, load_model
from linescan.depth.export.description import Checkpoint
from linescan.depth.export.needs import require
from linescan.depth.export.report import (
    MAX_DEVIATION,
    MAX_ERROR,
    Attention,
    ExportReport,
    FilePrecision,
    Form,
    Proof,
    Storage,
    record,
    storage_bound,
)
from linescan.depth.models import PATCH, REGISTRY, ModelFile, model_folder
from linescan.depth.record import record_path, write_record
from linescan.errors import ModelError
from linescan.records import Convention

MAX_FRAME = 1 << 16
"""Pixels along a side of a camera frame."""
Progress = Callable[[str, float], None]
"""Called with what is being done and the share, 0 to 1, that is done."""


def export(
    checkpoint: str | Path,
    out: Path | None = None,
    *,
    size: tuple[int, int] | None = None,
    dynamic: bool = False,
    storage: Storage = "fp32",
    channels: int = 1,
    frame_size: tuple[int, int] | None = None,
    attention: Attention = "eager",
    precision: FilePrecision = "fp32",
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
        channels: of the image: 1, or 3 for comparisons.
        frame_size: rows and columns of camera frames that the file takes and resizes itself; None
            where it takes images of the model's size.
        attention: ``"eager"`` writes its parts (opset 20), ``"fused"`` the Attention operator
            (opset 23).
        precision: what the file's encoder computes in. fp32 leaves the choice to the engines.
        acknowledge_licence: the user has read that the licence forbids commercial use.
        convention: what larger outputs mean, where the checkpoint does not say it.
        name: the model's name; the checkpoint's own where None.
        progress: see ``Progress``.

    Raises:
        ModelError: something is missing, wrong or not permitted, or the file does not agree with
            the original within the bounds of ``linescan.depth.export.report``.
    """
    started = time.monotonic()
    require()
    progress("finding the checkpoint", 0.0)
    found = find_checkpoint(
        checkpoint, acknowledge_licence=acknowledge_licence, convention=convention, name=name
    )
    form = _check_form(
        Form(size or found.input_size, dynamic, storage, channels, frame_size, attention, precision)
    )
    path = _out_path(out, found.name)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        proof = _make(part, found, form, progress)
        card = read_card(ModelFile(found.name, part))
        write_record(part, record(card, form, proof))
        part.replace(path)
        record_path(part).replace(record_path(path))
    except OSError as error:
        raise ModelError(f"{path}: cannot write the model: {error}") from error
    finally:
        for left in (part, record_path(part)):
            with contextlib.suppress(OSError):
                left.unlink()
    progress("done", 1.0)
    return _report(path, card, form, proof, time.monotonic() - started)


def _make(part: Path, found: Checkpoint, form: Form, progress: Progress) -> Proof:
    from linescan.depth.export.frame import frame_resize, prepend
    from linescan.depth.export.graph import features, set_metadata
    from linescan.depth.export.precision import convert_encoder, store_fp16
    from linescan.depth.export.verify import compare, references, sizes_to_check

    progress("loading the weights", 0.05)
    model = load_model(found)
    if model.config.patch_size != PATCH:
        raise ModelError(f"{found.folder}: patch size {model.config.patch_size}, expected {PATCH}")
    progress("running the original model", 0.15)
    resizing = None
    sizes = sizes_to_check(form.size, dynamic=form.dynamic)
    if form.frame_size is not None:
        resizing = frame_resize(form.frame_size, form.size, form.channels)
        sizes = [form.frame_size]
    made = references(model, found, sizes, form.channels, resizing)
    progress("tracing the model", 0.3)
    proto = _trace(model, found, form)
    del model
    metadata = _metadata(found, form, features(proto))
    if resizing is not None:
        proto = prepend(resizing, proto)
    progress("comparing with the original", 0.7)
    proof = Proof(compare(proto, made, "error", MAX_ERROR))
    if form.precision != "fp32":
        progress(f"comparing in {form.precision}", 0.8)
        convert_encoder(proto, form.precision)
        proof = replace(proof, precision_checks=compare(proto, made, "deviation", MAX_DEVIATION))
    if form.storage == "fp16":
        progress("comparing with weights in fp16", 0.9)
        store_fp16(proto)
        proof = replace(proof, storage_checks=compare(proto, made, *storage_bound(form)))
    set_metadata(proto, metadata)
    part.write_bytes(proto.SerializeToString())
    return proof


def _trace(model: Any, found: Checkpoint, form: Form) -> Any:
    from linescan.depth.export.fold import fold
    from linescan.depth.export.graph import to_onnx

    network = fold(
        model,
        found.mean,
        found.std,
        channels=form.channels,
        size=None if form.dynamic else form.size,
        fused=form.attention == "fused",
    )
    return to_onnx(network, form.size, dynamic=form.dynamic, attention=form.attention)


def _metadata(found: Checkpoint, form: Form, features: tuple[str, ...]) -> dict[str, str]:
    return {
        "name": found.name,
        "convention": str(found.convention),
        "unit": found.unit,
        "scale": repr(found.scale),
        "shift": repr(found.shift),
        "noise_floor": repr(found.noise_floor),
        "licence": found.licence,
        "source": found.source,
        "input_size": json.dumps(form.size),
        "precision": form.precision,
        "features": json.dumps(features),
    }


def _report(path: Path, card: ModelCard, form: Form, proof: Proof, seconds: float) -> ExportReport:
    return ExportReport(
        name=card.name,
        path=path,
        nbytes=path.stat().st_size,
        sha256=card.sha256,
        licence=card.licence,
        form=form,
        proof=proof,
        seconds=seconds,
    )


def _check_form(form: Form) -> Form:
    rows, columns = form.size
    if min(form.size) < 2 * PATCH or max(form.size) > MAX_PATCHES * PATCH:
        raise ModelError(
            f"size {rows}x{columns}: rows and columns must be multiples of {PATCH}, from "
            f"{2 * PATCH} to {MAX_PATCHES * PATCH}"
        )
    if rows % PATCH or columns % PATCH:
        raise ModelError(f"size {rows}x{columns}: rows and columns must be multiples of {PATCH}")
    if form.channels not in (1, 3):
        raise ModelError(f"{form.channels} channels: expected 1 (gray) or 3 (RGB)")
    if form.frame_size is not None:
        if form.dynamic:
            raise ModelError(
                "the resize of the frame has one size: a file that takes frames cannot be dynamic"
            )
        if min(form.frame_size) < 1 or max(form.frame_size) > MAX_FRAME:
            height, width = form.frame_size
            raise ModelError(f"frame {height}x{width}: expected sides from 1 to {MAX_FRAME}")
    if form.frame_size == form.size:
        return replace(form, frame_size=None)
    return form


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

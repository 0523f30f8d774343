"""Quantising, step by step: read, calibrate, choose, prove on other frames, keep."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linescan.depth.backends.base import Setup, cores
from linescan.depth.card import ModelCard, read_card
from linescan.depth.models import ModelFile, model_folder
from linescan.depth.quantise.calibration import Image
from linescan.depth.quantise.plan import Unit
from linescan.depth.quantise.report import Part, QuantiseReport, record
from linescan.depth.quantise.workbench import SUFFIX, Progress, Workbench
from linescan.depth.record import write_record
from linescan.errors import ModelError

MIN_FRAMES = 8
"""Fewer show too little of a web to calibrate on some and judge on others."""


def quantise(
    card: ModelCard,
    images: Sequence[Image],
    out: Path | None = None,
    *,
    size: tuple[int, int] | None = None,
    tolerance: float = 0.02,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = lambda _text, _share: None,
) -> QuantiseReport:
    """Write a model's int8 twin, and measure it on frames that it was not calibrated on.

    As many of the encoder's linear layers and attention scores as the tolerance has room for; the
    head stays as it is. The file is written beside ``out`` and renamed at the end: a failure
    leaves nothing behind, and an older file as it was.

    Args:
        card: of an exported gray model in fp32.
        images: recorded frames as the model takes them, (rows, columns) uint8; every fourth is
            held back to measure the result.
        out: the .onnx file; NAME-int8.onnx in the model folder where None.
        size: rows and columns to calibrate a dynamic model at; its own where None.
        tolerance: most deviation from the original on the held-back frames, in standard deviations.
        force: write the file even where it deviates by more: everything quantised where nothing
            fits the tolerance.
        threads: CPU threads; all cores where None.
        progress: see ``Progress``.

    Raises:
        ModelError: the model or the frames do not suit, nothing can be quantised within the
            tolerance, or the result deviates by more.
    """
    started = time.monotonic()
    _check_model(card)
    setup = Setup(card.resolve_size(size or "auto"), threads or cores())
    _check_images(card, images, setup.size)
    if not 0 < tolerance < 1:
        raise ModelError(f"tolerance {tolerance:g}: expected more than 0 and less than 1")
    path = _out_path(card, out)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()  # a folder that cannot be written shows now, not after minutes
        work = Workbench(card, setup, part, images, progress)
        made = work.choose(tolerance, force=force)
        found = work.prove(made)
        if found.pooled > tolerance and not force:
            raise ModelError(
                f"{card.path}: quantised it deviates by {found.pooled:.2g} standard deviations on "
                f"frames it was not calibrated on, more than {tolerance:g}: calibrate on more "
                f"frames, allow more (--tolerance), or write it all the same (--force)"
            )
        speed = work.race(tolerance)
        work.sign(made, found, speed)
        quantised = read_card(ModelFile(path.stem, part))
        part.replace(path)
        report = QuantiseReport(
            name=quantised.name,
            path=path,
            nbytes=path.stat().st_size,
            original_nbytes=card.path.stat().st_size,
            sha256=quantised.sha256,
            size=setup.size,
            parts=parts(work.units, made),
            deviation=found,
            tolerance=tolerance,
            calibrated=len(work.images),
            speed=speed,
            seconds=time.monotonic() - started,
        )
        write_record(path, record(quantised, card, report))
    except OSError as error:
        raise ModelError(f"{path}: cannot write the model: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    progress("done", 1.0)
    return report


def _check_model(card: ModelCard) -> None:
    if card.channels != 1:
        raise ModelError(f"{card.path}: takes RGB images: only gray models can be quantised")
    if card.precision != "fp32":
        raise ModelError(
            f"{card.path}: its encoder is {card.precision} already: quantise the fp32 file that "
            f"'linescan model export' makes"
        )


def _check_images(card: ModelCard, images: Sequence[Image], size: tuple[int, int]) -> None:
    if len(images) < MIN_FRAMES:
        raise ModelError(
            f"{len(images)} frames to calibrate on: at least {MIN_FRAMES} are needed; record more "
            f"of the web"
        )
    shape = card.image_shape(size)
    for image in images:
        if image.shape != shape or image.dtype != np.uint8:
            raise ModelError(
                f"{card.path} takes {shape[0]}x{shape[1]} uint8 images at this size, got "
                f"{'x'.join(map(str, image.shape))} {image.dtype}"
            )


def _out_path(card: ModelCard, out: Path | None) -> Path:
    path = out or model_folder() / f"{card.name}{SUFFIX}.onnx"
    if path.suffix != ".onnx":
        raise ModelError(f"{path}: the file to write must end in .onnx")
    if path.exists() and path.samefile(card.path):
        raise ModelError(f"{path}: is the original: give another file to write")
    return path


def parts(units: Sequence[Unit], made: Sequence[Unit]) -> tuple[Part, ...]:
    """What share of each kind of unit was made int8."""
    names = {unit.name for unit in made}
    kinds = {
        "linear layers": [unit for unit in units if unit.linears],
        "attention scores": [unit for unit in units if unit.scores],
    }
    found = []
    for kind, members in kinds.items():
        chosen = [unit for unit in members if unit.name in names]
        total = math.fsum(unit.work for unit in members)
        if total:
            share = math.fsum(unit.work for unit in chosen) / total
            found.append(Part(kind, _count(chosen), _count(members), share))
    return tuple(found)


def _count(units: Sequence[Unit]) -> int:
    return sum(len(u.linears) + len(u.scores) for u in units)

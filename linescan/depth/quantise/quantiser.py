"""Quantising, step by step: read, calibrate, choose, prove on other frames, keep."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linescan.depth.backends.base import Engine, LoadedModel, Setup, cores
from linescan.depth.candidates import REFERENCE, Candidate, candidates, load
from linescan.depth.card import PREFIX, ModelCard, read_card
from linescan.depth.engine import open_engine
from linescan.depth.models import ModelFile, model_folder
from linescan.depth.quantise.calibration import Image, session
from linescan.depth.quantise.choice import choose
from linescan.depth.quantise.deviation import Deviation, deviation
from linescan.depth.quantise.plan import HEAD_UNIT, Unit, make_units
from linescan.depth.quantise.report import Part, QuantiseReport, Speed, record
from linescan.depth.quantise.rewrite import rewrite
from linescan.depth.race import medians, race
from linescan.depth.record import write_record
from linescan.errors import ModelError, install_hint
from linescan.records import FloatArray

Progress = Callable[[str, float], None]
"""Called with what is being done and the share, 0 to 1, that is done."""

MIN_FRAMES = 8
"""Fewer show too little of a web to calibrate on some and judge on others."""
ALONE_ON = 3
"""On how many frames each part is tried alone."""
SUFFIX = "-int8"


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

    As many of the encoder's linear layers and attention scores, and of the head's convolutions, as
    the tolerance has room for. The file is written beside ``out`` and renamed at the end: a failure
    leaves nothing behind, and an older file as it was.

    Args:
        card: of an exported gray model in fp32.
        images: recorded frames as the model takes them, (rows, columns) uint8; every fourth is
            held back to measure the result.
        out: the .onnx file; NAME-int8.onnx in the model folder where None.
        size: rows and columns to calibrate a dynamic model at; its own where None.
        tolerance: most deviation from the original on the held-back frames, in standard deviations.
        force: write the file even where it deviates by more.
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
    if not tolerance > 0:
        raise ModelError(f"tolerance {tolerance:g}: expected more than 0")
    path = _out_path(card, out)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = _Work(card, setup, part, images, progress)
        made = work.choose(tolerance)
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
            parts=_parts(work.units, made),
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


class _Work:
    """What the steps share: the model, its frames in three lots, and the engine that judges."""

    def __init__(
        self,
        card: ModelCard,
        setup: Setup,
        part: Path,
        images: Sequence[Image],
        progress: Progress,
    ) -> None:
        self.card, self.setup, self.part, self.progress = card, setup, part, progress
        self.images, self.checks, self.held_back = split(images)
        self.proto = _read(card)
        self.units: list[Unit] = []
        progress("running the original", 0.0)
        reference = load(REFERENCE, card, setup)
        try:
            self._check_references = [reference.infer(image) for image in self.checks]
            self._references = [reference.infer(image) for image in self.held_back]
        finally:
            reference.close()

    def choose(self, tolerance: float) -> tuple[Unit, ...]:
        """What is quantised."""
        self.units = make_units(
            self.proto,
            self.card,
            self.images,
            self.checks,
            self.setup.threads,
            lambda share: self.progress("calibrating", 0.05 + 0.5 * share),
        )
        self.progress("trying all parts", 0.6)
        tried = 0

        def alone(unit: Unit) -> float:
            nonlocal tried
            tried += 1
            self.progress("trying each part", 0.6 + 0.3 * tried / len(self.units))
            return self._alone(unit)

        made = choose(self.units, self._measure, alone, tolerance)
        if not made:
            raise ModelError(
                f"{self.card.path}: no part of it can be quantised within {tolerance:g} standard "
                f"deviations: allow more (--tolerance)"
            )
        return made

    def prove(self, units: Sequence[Unit]) -> Deviation:
        """Write the file, and measure it on the frames that were held back."""
        self.progress("measuring on other frames", 0.92)
        with self._engine(units) as engine:
            return deviation([engine.infer(image) for image in self.held_back], self._references)

    def race(self, tolerance: float) -> Speed:
        """The file as it was written last against the fastest engine for the original."""
        self.progress("timing", 0.95)
        with self._engine(None) as quantised:
            other: Engine = open_engine(
                self.card, size=self.setup.size, threads=self.setup.threads, tolerance=tolerance
            )
            try:
                image = self.held_back[0]
                ms = medians(race({"quantised": quantised, "other": other}, image))
                return Speed(quantised.name, ms["quantised"], other.name, ms["other"])
            finally:
                other.close()

    def sign(self, units: Sequence[Unit], found: Deviation, speed: Speed) -> None:
        """Write the file once more, with what was measured in its metadata."""
        said = {
            "deviation": found.pooled,
            "engine": speed.engine,
            "frames": len(self.held_back),
            "units": [unit.name for unit in units],
        }
        self._write(units, {"quantised": json.dumps(said)})

    def _measure(self, units: Sequence[Unit]) -> float:
        with self._engine(units) as engine:
            outputs = [engine.infer(image) for image in self.checks]
        return deviation(outputs, self._check_references).pooled

    def _alone(self, unit: Unit) -> float:
        run = session(rewrite(self.proto, [unit]), self.setup.threads)
        outputs: list[FloatArray] = [
            run.run(None, {self.card.input_name: image[None, None]})[0][0]
            for image in self.checks[:ALONE_ON]
        ]
        return deviation(outputs, self._check_references[:ALONE_ON]).pooled

    @contextlib.contextmanager
    def _engine(self, units: Sequence[Unit] | None) -> Iterator[LoadedModel]:
        """The best engine of this machine for the file with these units; as it is where None."""
        if units is not None:
            self._write(units, {})
        card = read_card(ModelFile(self.part.stem, self.part))
        engine = _load_first(card, self.setup)
        try:
            yield engine
        finally:
            engine.close()

    def _write(self, units: Sequence[Unit], more: dict[str, str]) -> None:
        proto = rewrite(self.proto, units)
        entries = {"name": self.card.name + SUFFIX, "precision": "int8", **more}
        kept = [(p.key, p.value) for p in proto.metadata_props]
        merged = dict(kept) | {PREFIX + key: value for key, value in entries.items()}
        from onnx import helper

        del proto.metadata_props[:]
        helper.set_model_props(proto, merged)
        self.part.write_bytes(proto.SerializeToString())


def split(images: Sequence[Image]) -> tuple[list[Image], list[Image], list[Image]]:
    """Frames to calibrate on, to choose by, and to judge by: each spread over the whole web."""
    rest = [image for i, image in enumerate(images) if i % 4 != 3]
    return (
        [image for i, image in enumerate(rest) if i % 3 != 2],
        rest[2::3],
        list(images[3::4]),
    )


def _load_first(card: ModelCard, setup: Setup) -> LoadedModel:
    """The first engine for a quantised file that loads, fastest expected first."""
    reasons = []
    for candidate in _suitable(candidates(card)):
        try:
            return load(candidate, card, setup)
        except ModelError as error:
            reasons.append(f"{candidate.name}: {error}")
    raise ModelError(f"{card.path}: no engine runs the quantised model: {'; '.join(reasons)}")


def _suitable(found: Sequence[Candidate]) -> list[Candidate]:
    return [each for each in found if not each.on_gpu and each.precision != "bf16_mixed"]


def _read(card: ModelCard) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ModelError(
            f"quantising a model needs the package onnx; {install_hint('quantise')} ({error})"
        ) from error
    card.require_unchanged()
    return onnx.load(str(card.path))


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


def _parts(units: Sequence[Unit], made: Sequence[Unit]) -> tuple[Part, ...]:
    names = {unit.name for unit in made}
    kinds = {
        "linear layers": [unit for unit in units if unit.linears],
        "attention scores": [unit for unit in units if unit.scores],
        "convolutions of the head": [unit for unit in units if unit.name == HEAD_UNIT],
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
    return sum(len(u.linears) + len(u.scores) + len(u.convolutions) for u in units)

"""The workbench of quantising: calibrate, choose what becomes int8, prove it, race it, sign it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from linescan.depth.backends.base import Engine, LoadedModel, Setup
from linescan.depth.candidates import REFERENCE, Candidate, candidates, load
from linescan.depth.card import PREFIX, ModelCard, read_card
from linescan.depth.engine import open_engine
from linescan.depth.models import ModelFile
from linescan.depth.quantise.calibration import Image, session
from linescan.depth.quantise.choice import AIM, choose
from linescan.depth.quantise.deviation import Deviation, deviation
from linescan.depth.quantise.plan import Unit, make_units
from linescan.depth.quantise.report import Speed
from linescan.depth.quantise.rewrite import rewrite
from linescan.depth.race import medians, race
from linescan.errors import ModelError, install_hint
from linescan.records import FloatArray

Progress = Callable[[str, float], None]
"""Called with what is being done and the share, 0 to 1, that is done."""
ALONE_ON = 3
"""On how many frames each part is tried alone."""
SUFFIX = "-int8"


class Workbench:
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

    def choose(self, tolerance: float, *, force: bool) -> tuple[Unit, ...]:
        """What is quantised: what the tolerance has room for; everything by force if nothing has.

        Raises:
            ModelError: there is room for nothing.
        """
        floor = self._measure(())
        if floor >= AIM * tolerance and not force:
            raise ModelError(
                f"{self.card.path}: no part of it can be quantised within {tolerance:g} standard "
                f"deviations: with none the engine deviates by {floor:.2g}; allow more "
                f"(--tolerance)"
            )
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

        made = choose(self.units, self._measure, alone, tolerance, floor)
        if force and not made:
            return tuple(self.units)
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

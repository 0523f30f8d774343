"""Who takes part: all engines that load, and the baselines; who does not, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from linescan.benchmark.baselines import OnnxRuntimeBaseline, TransformersBaseline
from linescan.benchmark.contender import Contender, EngineContender, GrayFrame, resize
from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.subject import Subject
from linescan.depth.backends.base import first_line
from linescan.depth.card import ModelCard
from linescan.depth.engine import REFERENCE, Candidate, candidates, open_engine
from linescan.depth.gate import pooled
from linescan.errors import LinescanError
from linescan.records import FloatArray

INT8 = "int8"


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine to open: what the tables call it, and what it is."""

    name: str
    card: ModelCard
    candidate: Candidate


@dataclass(slots=True)
class Field:
    """Contenders that are open.

    Attributes:
        engines: ours.
        baselines: the others.
        not_loaded: reasons, by name.
        reference: the fp32 engine that deviations refer to.
    """

    reference: EngineContender
    engines: list[EngineContender] = field(default_factory=list)
    baselines: list[Contender] = field(default_factory=list)
    not_loaded: dict[str, str] = field(default_factory=dict)
    _closed: list[Contender] = field(default_factory=list)

    def all(self) -> list[Contender]:
        """Engines, then baselines."""
        return [*self.engines, *self.baselines]

    def leave(self, contender: Contender, reason: str) -> None:
        """One that cannot take part: out of the lists, freed, its reason noted."""
        self.engines = [c for c in self.engines if c is not contender]
        self.baselines = [c for c in self.baselines if c is not contender]
        self.not_loaded[contender.name] = reason
        if contender is not self.reference:
            with suppress(Exception):  # what failed may fail to close, too
                contender.close()

    def close(self, but: Contender | None = None) -> None:
        """Free all models, but one where it is named."""
        for contender in (*self.all(), self.reference):
            if contender is not but and contender not in self._closed:
                contender.close()
                self._closed.append(contender)


def entries(subject: Subject, names: Sequence[str]) -> list[Entry]:
    """What to open: everything, or what the names of engines and backends ask for.

    Raises:
        BenchmarkError: a name is not known; the text lists those that are.
    """
    known = [Entry(c.name, subject.card, c) for c in candidates(subject.card)]
    for card in subject.int8:
        known += _quantised(card)
    if not names:
        return known
    chosen: list[Entry] = []
    for name in names:
        found = [e for e in known if name in (e.name, e.candidate.backend)]
        if not found:
            backends = dict.fromkeys(e.candidate.backend for e in known)
            raise BenchmarkError(
                f"--backend {name}: expected {', '.join([*backends, *(e.name for e in known)])}"
            )
        chosen += [e for e in found if e not in chosen]
    return chosen


def open_field(
    subject: Subject,
    wanted: Sequence[Entry],
    folder: Path,
    threads: int,
    progress: Callable[[str], None] = lambda _: None,
    *,
    with_baselines: bool = True,
    onnxruntime_threads: int | None = None,
) -> Field:
    """Open everything that loads; the gate is measured, and keeps nobody out.

    Args:
        subject: the model.
        wanted: engines to open.
        folder: for what the baselines need.
        threads: CPU threads.
        progress: told what is being opened.
        with_baselines: open them, too.
        onnxruntime_threads: of that baseline; its own default where None.

    Raises:
        ModelError: not even the reference loads: nothing can be compared.
    """
    progress("opening the fp32 reference")
    reference_entry = Entry(REFERENCE.name, subject.card, REFERENCE)
    reference = _open(reference_entry, subject, threads)
    result = Field(reference)
    try:
        for entry in wanted:
            progress(f"opening {entry.name}")
            if entry == reference_entry:
                result.engines.append(reference)
                continue
            try:
                result.engines.append(_open(entry, subject, threads))
            except Exception as error:  # noqa: BLE001 - drivers and libraries raise what they like
                result.not_loaded[entry.name] = _reason(error)
        for name, make in (
            _baselines(subject, folder, threads, onnxruntime_threads) if with_baselines else ()
        ):
            progress(f"preparing baseline {name}")
            try:
                result.baselines.append(make())
            except Exception as error:  # noqa: BLE001 - as above
                result.not_loaded[name] = _reason(error)
    except BaseException:
        result.close()
        raise
    return result


def deviations(found: Field, frames: Sequence[GrayFrame]) -> dict[str, float | None]:
    """Deviation of each contender's depth from the reference's, over all frames.

    All get the same image at the model's size: what is compared is the arithmetic. RMS after an
    affine alignment, in standard deviations of the reference's depth; None where a contender runs
    other weights or where the reference's depth is flat. One that fails leaves the field.
    """
    measured: dict[str, float | None] = {}
    references = [found.reference.run(frame) for frame in frames]
    for contender in found.all():
        if isinstance(contender, TransformersBaseline) and not contender.has_weights:
            measured[contender.name] = None
            continue
        try:
            measured[contender.name] = _deviation(contender, found.reference, frames, references)
        except Exception as error:  # noqa: BLE001 - drivers and libraries raise what they like
            found.leave(contender, f"its depth could not be compared: {_reason(error)}")
    return measured


def _deviation(
    contender: Contender,
    reference: EngineContender,
    frames: Sequence[GrayFrame],
    references: Sequence[FloatArray],
) -> float | None:
    if not any(np.ptp(expected) > 0.0 for expected in references):
        return None
    outputs = [
        contender.run(frame)
        if isinstance(contender, EngineContender)
        else contender.depth_of(resize(frame, reference.engine.size))
        for frame in frames
    ]
    return pooled(outputs, references).deviation


def _reason(error: Exception) -> str:
    """Ours are one sentence; of others' the first line that says something."""
    return str(error) if isinstance(error, LinescanError) else first_line(error)


def _open(entry: Entry, subject: Subject, threads: int) -> EngineContender:
    candidate = entry.candidate
    engine = open_engine(
        entry.card,
        candidate.backend,
        candidate.precision,
        subject.size,
        threads,
        tolerance=math.inf,
    )
    return EngineContender(engine, entry.name)


def _quantised(card: ModelCard) -> Iterator[Entry]:
    """Engines for a quantised file: int8 inside, the rest in the candidate's precision."""
    for candidate in candidates(card):
        rest = "" if candidate.precision == "fp32" else f"+{candidate.precision}"
        yield Entry(f"{candidate.backend}-{INT8}{rest}", card, candidate)


def _baselines(
    subject: Subject, folder: Path, threads: int, onnxruntime_threads: int | None
) -> Iterator[tuple[str, Callable[[], Contender]]]:
    yield "transformers", lambda: TransformersBaseline(subject, folder, threads)
    yield "onnxruntime-fp32", lambda: OnnxRuntimeBaseline(subject, folder, onnxruntime_threads)

"""Checking a model's file: that it is the one which was verified, and what runs it here."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from linescan.depth.candidates import Candidate, candidates
from linescan.depth.card import ModelCard
from linescan.depth.engine import open_engine
from linescan.depth.record import read_record, record_path
from linescan.errors import ModelError

RUNS = 5
"""How often an engine is timed; the median counts."""


@dataclass(frozen=True, slots=True)
class EngineCheck:
    """What came of opening one engine.

    Attributes:
        candidate: backend and precision.
        deviation: from the fp32 reference, as ``Engine.deviation``; None where it does not load or
            could not be compared.
        ms: median time for an image; None where it does not load.
        reason: why it does not load or run; None where it does.
    """

    candidate: Candidate
    deviation: float | None
    ms: float | None
    reason: str | None

    def within(self, tolerance: float) -> bool:
        """It runs, and deviates by no more than that."""
        return self.deviation is not None and self.deviation <= tolerance


def check_record(card: ModelCard) -> dict[str, Any]:
    """The record of the export, if it is that of this very file.

    Raises:
        ModelError: there is none, it is damaged, or the file is not the one that was verified.
    """
    record = read_record(card.path)
    if record["sha256"] != card.sha256:
        raise ModelError(
            f"{card.path}: not the file that was verified: its SHA-256 is {card.sha256[:12]}…, "
            f"{record_path(card.path).name} says {str(record['sha256'])[:12]}…; copy both again "
            f"or export the model again"
        )
    return record


def check_engines(card: ModelCard) -> Iterator[EngineCheck]:
    """Open, compare and time everything that could run the model here, one after the other."""
    for candidate in candidates(card):
        yield _check(card, candidate)


def _check(card: ModelCard, candidate: Candidate) -> EngineCheck:
    try:
        engine = open_engine(card, candidate.backend, candidate.precision, tolerance=math.inf)
    except ModelError as error:
        # Which model it is about, the caller knows.
        _, _, reason = str(error).rpartition(f"'{card.name}': ")
        return EngineCheck(candidate, None, None, reason)
    try:
        image = np.zeros(engine.image_shape, np.uint8)
        durations = []
        for _ in range(RUNS):
            start = time.perf_counter()
            engine.infer(image)
            durations.append(time.perf_counter() - start)
        return EngineCheck(candidate, engine.deviation, 1e3 * statistics.median(durations), None)
    except ModelError as error:
        return EngineCheck(candidate, engine.deviation, None, str(error))
    finally:
        engine.close()

"""The contest of engines: those that load and pass the gate race, and the fastest stays open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from linescan.depth.backends.base import (
    BackendError,
    BackendMissingError,
    LoadedModel,
    PrecisionMissingError,
    is_out_of_memory,
)
from linescan.depth.candidates import REFERENCE, Candidate
from linescan.depth.gate import DeviationError, Gate
from linescan.depth.race import Choice, RunnerError, account, medians, no_engine, race, settled
from linescan.errors import ModelError

log = logging.getLogger(__name__)

CPU_GAIN = 8.0
"""No CPU engine is faster than the reference by more: where a GPU engine is, none is tried."""

LoadChecked = Callable[[Candidate, Gate], tuple[LoadedModel, float]]
"""Loads a candidate and passes it through the gate; it, and its time for an image in ms."""


class Contest:
    """Opens candidates side by side, lets them race, and closes all but the fastest.

    What runs out of memory beside the others is tried once more when they are closed: it might be
    the fastest, and alone it may fit.

    Args:
        reference: the fp32 reference, loaded; the contest closes it where it does not win.
        wanted: what takes part, fastest expected first.
        tolerance: of the gate.
        load_checked: loads a candidate.
    """

    def __init__(
        self,
        reference: LoadedModel,
        wanted: Sequence[Candidate],
        tolerance: float,
        load_checked: LoadChecked,
    ) -> None:
        self.choice = Choice()
        self._reference = reference
        self._wanted = wanted
        self._tolerance = tolerance
        self._load_checked = load_checked
        self._opened: dict[Candidate, LoadedModel] = {}
        self._gate_ms: dict[str, float] = {}
        self._crowded: list[Candidate] = []

    def run(self) -> LoadedModel:
        """The fastest, open; ``choice`` says what was found.

        Raises:
            ModelError: none of the candidates loads and passes the gate.
        """
        winner: LoadedModel | None = None
        try:
            gate = Gate(self._reference, self._tolerance)
            self._reference.deviation = 0.0
            for candidate in self._worth_trying(gate):
                self._try(candidate, gate)
            self._race(gate)
            if self._crowded:
                self._retry(gate)
            if not self.choice.ranked:
                raise ModelError(no_engine(self._reference.card, self.choice))
            winner = self._opened[self.choice.ranked[0]]
            log.info("%s", account(winner, self.choice.ms, self.choice.refused))
        finally:
            self._close_all(winner)
        return winner

    def _worth_trying(self, gate: Gate) -> Iterator[Candidate]:
        """The candidates in their order, without those that cannot win any more."""
        for candidate in self._wanted:
            if candidate.backend in self.choice.refused:
                continue
            on_gpu = [self._gate_ms[each.name] for each in self._opened if each.on_gpu]
            beaten = bool(on_gpu) and CPU_GAIN * min(on_gpu) < gate.reference_ms
            if (beaten and not candidate.on_gpu) or self._not_worth_building(candidate):
                self.choice.untried.append(candidate)
            else:
                yield candidate

    def _not_worth_building(self, candidate: Candidate) -> bool:
        """Minutes are not spent on fp32 where the same backend runs the model in half the bits."""
        passed = {each.backend for each in self._opened}
        wide = candidate.slow_to_build and candidate.precision == "fp32"
        return wide and candidate.backend in passed

    def _try(self, candidate: Candidate, gate: Gate) -> None:
        if candidate == REFERENCE:
            self._opened[candidate] = self._reference
            self._gate_ms[candidate.name] = gate.reference_ms
            return
        try:
            self._opened[candidate], self._gate_ms[candidate.name] = self._load_checked(
                candidate, gate
            )
        except ModelError as error:
            self._leave_out(candidate, error)

    def _leave_out(self, candidate: Candidate, error: ModelError) -> None:
        """For good, or until the others are closed where that may help."""
        # Others hold memory of the same kind: the reference does on the CPU.
        beside = not candidate.on_gpu or any(each.on_gpu for each in self._opened)
        if is_out_of_memory(error) and beside:
            self._crowded.append(candidate)
            log.info("depth engine %s waits until others are closed: %s", candidate.name, error)
        else:
            self._refuse(candidate, error)

    def _refuse(self, candidate: Candidate, error: ModelError) -> None:
        name = candidate.backend if isinstance(error, BackendError) else candidate.name
        self.choice.refused[name] = str(error)
        # That reduced precision is too coarse for a model is a finding, not a fault.
        coarse = isinstance(error, DeviationError) and candidate.precision != "fp32"
        missing = isinstance(error, (BackendMissingError, PrecisionMissingError))
        faulty = not (missing or coarse)
        self.choice.faulty |= faulty
        # The line about the choice names all that was refused.
        level = logging.WARNING if faulty else logging.DEBUG if missing else logging.INFO
        log.log(level, "depth engine %s is not used: %s", name, error)

    def _race(self, gate: Gate) -> None:
        rounds = self._rounds(gate)
        self.choice.ms = medians(rounds)
        self.choice.settled = settled(rounds)
        self._rank(self._opened)

    def _rounds(self, gate: Gate) -> dict[str, list[float]]:
        """Times in ms by name; an engine that fails leaves, and the others begin again."""
        while True:
            engines = {each.name: engine for each, engine in self._opened.items()}
            try:
                return race(engines, gate.images[0], self._gate_ms)
            except RunnerError as failed:
                candidate = next(each for each in self._opened if each.name == failed.name)
                self._opened.pop(candidate).close()
                self._leave_out(candidate, failed.reason)

    def _rank(self, candidates: Sequence[Candidate] | dict[Candidate, LoadedModel]) -> None:
        self.choice.ranked = sorted(
            candidates, key=lambda each: self.choice.ms.get(each.name, self._gate_ms[each.name])
        )

    def _retry(self, gate: Gate) -> None:
        """Load each that ran out of memory with all others closed, and open the fastest again.

        Its time is the one that the gate took: it cannot race those that it does not fit beside.
        """
        self._close_all()
        passed = list(self.choice.ranked)
        for candidate in self._crowded:
            try:
                engine, self._gate_ms[candidate.name] = self._load_checked(candidate, gate)
            except ModelError as error:
                self._refuse(candidate, error)
                continue
            engine.close()
            passed.append(candidate)
        if len(passed) > 1:
            self.choice.ms = {
                each.name: self.choice.ms.get(each.name, round(self._gate_ms[each.name], 3))
                for each in passed
            }
        self._rank(passed)
        self._reopen(gate)

    def _reopen(self, gate: Gate) -> None:
        """Open the first of the ranking; one that fails now leaves it."""
        while self.choice.ranked:
            candidate = self.choice.ranked[0]
            try:
                self._opened[candidate], _ = self._load_checked(candidate, gate)
            except ModelError as error:
                self._refuse(candidate, error)
                self.choice.ms.pop(candidate.name, None)
                del self.choice.ranked[0]
            else:
                return

    def _close_all(self, but: LoadedModel | None = None) -> None:
        for engine in {self._reference, *self._opened.values()}:
            if engine is not but:
                engine.close()
        self._opened.clear()

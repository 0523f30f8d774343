"""The choice of an engine: raced once, remembered, and loaded and checked at each start."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from linescan.depth.backends.base import (
    BackendError,
    LoadedModel,
    PrecisionMissingError,
    Setup,
    on_device,
)
from linescan.depth.cache import Cache
from linescan.depth.candidates import REFERENCE, Candidate, load
from linescan.depth.card import ModelCard
from linescan.depth.contest import Contest
from linescan.depth.gate import GATE, DeviationError, Gate
from linescan.depth.machine import devices, versions
from linescan.depth.race import Choice, account
from linescan.errors import ModelError

log = logging.getLogger(__name__)


class Chooser:
    """Opens the fastest of the candidates that load and pass the gate.

    Args:
        card: of the model.
        setup: size and threads.
        wanted: what may be chosen, fastest expected first.
        tolerance: of the gate; where it is infinite nothing is remembered.
        cache: of choices and built engines.
    """

    def __init__(
        self,
        card: ModelCard,
        setup: Setup,
        wanted: Sequence[Candidate],
        tolerance: float,
        cache: Cache,
    ) -> None:
        self.card = card
        self.setup = setup
        self.tolerance = tolerance
        self._wanted = list(wanted)
        self._cache = cache
        self._machine: dict[str, Any] = {
            "model": card.sha256,
            "size": list(setup.size),
            "devices": devices(),
            "versions": versions(),
            "gate": GATE,
        }

    def open(self) -> tuple[LoadedModel, Choice]:
        """The engine to use, opened and checked.

        Raises:
            ModelError: none of the candidates loads and passes the gate.
        """
        key = {
            **self._machine,
            "threads": self.setup.threads,
            "tolerance": str(self.tolerance),
            "wanted": [candidate.name for candidate in self._wanted],
        }
        if math.isinf(self.tolerance):
            return self._race()
        choice = self._recall(key)
        if choice is not None:
            try:
                return self._reopen(choice), choice
            except ModelError as error:
                log.warning(
                    "the remembered depth engine %s fails (%s): choosing again",
                    choice.ranked[0].name,
                    error,
                )
        engine, choice = self._race()
        if not choice.settled:
            log.info("the fastest depth engines are too close to remember this choice")
        elif not choice.faulty:  # a fault may be gone at the next start
            self._remember(key, choice)
        return engine, choice

    def load(self, candidate: Candidate) -> LoadedModel:
        """Load a candidate with the folder that its built engine is kept in; unchecked."""
        folder = self._folder(candidate)
        if folder is None:
            return load(candidate, self.card, self.setup)
        engine = load(candidate, self.card, replace(self.setup, cache=folder))
        self._cache.used(folder)
        return engine

    def load_checked(
        self, candidate: Candidate, gate: Gate, *, rebuild: bool = True
    ) -> tuple[LoadedModel, float]:
        """Load a candidate and pass it through the gate; it, and its time for an image in ms.

        One that fails because of what was built before is built anew, unless ``rebuild`` is off:
        it can take minutes, which a line that runs does not have.
        """
        folder = self._folder(candidate)
        old = folder is not None and folder.is_dir()
        try:
            return self._pass(candidate, gate)
        except ModelError as error:
            if folder is None or not (old and rebuild and self._is_stale(folder, error)):
                raise
            log.warning("%s fails as it was built before: building anew: %s", candidate.name, error)
            self._cache.discard(folder)
            return self._pass(candidate, gate)

    def _is_stale(self, folder: Path, error: ModelError) -> bool:
        """Whether what was built before may be the reason: building anew can take minutes."""
        if isinstance(error, (BackendError, PrecisionMissingError)) or on_device(error):
            return False
        if isinstance(error, DeviationError):
            # A precision that is too coarse for a model is so when it is built anew.
            return self._cache.passed(folder) <= self.tolerance
        return True

    def _folder(self, candidate: Candidate) -> Path | None:
        """Where what is built for a candidate is kept; None where nothing is."""
        if not candidate.keeps:
            return None
        key = {**self._machine, "threads": self.setup.threads, "engine": candidate.name}
        return self._cache.engine_folder(key)

    def _pass(self, candidate: Candidate, gate: Gate) -> tuple[LoadedModel, float]:
        engine = self.load(candidate)
        try:
            ms = gate.check(engine)
        except ModelError:
            engine.close()
            raise
        folder = self._folder(candidate)
        if folder is not None and engine.deviation is not None and math.isfinite(gate.tolerance):
            self._cache.mark_passed(folder, engine.deviation)
        return engine, ms

    def _load_reference(self) -> LoadedModel:
        return self.load(REFERENCE)

    def _reopen(self, choice: Choice) -> LoadedModel:
        """What was chosen before, checked again."""
        first = choice.ranked[0]
        reference = self._load_reference()
        engine = reference
        try:
            gate = Gate(reference, self.tolerance)
            if first != REFERENCE:
                engine, _ = self.load_checked(first, gate)
            else:
                reference.deviation = 0.0
        except ModelError:
            reference.close()
            raise
        if engine is not reference:
            reference.close()
        log.info("%s; as measured before", account(engine, choice.ms))
        return engine

    def _race(self) -> tuple[LoadedModel, Choice]:
        reference = self._load_reference()
        contest = Contest(reference, self._wanted, self.tolerance, self.load_checked)
        return contest.run(), contest.choice

    def _recall(self, key: dict[str, Any]) -> Choice | None:
        found = self._cache.recall(key)
        if found is None:
            return None
        known = {candidate.name: candidate for candidate in self._wanted}
        try:
            choice = Choice(
                [known[name] for name in found["ranked"]],
                {str(name): float(ms) for name, ms in found["ms"].items()},
                {str(name): str(why) for name, why in found["refused"].items()},
                [known[name] for name in found["untried"]],
            )
            return choice if choice.ranked else None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("a remembered choice of engine is damaged (%r): choosing again", error)
            return None

    def _remember(self, key: dict[str, Any], choice: Choice) -> None:
        content = {
            "ranked": [candidate.name for candidate in choice.ranked],
            "ms": choice.ms,
            "refused": choice.refused,
            "untried": [candidate.name for candidate in choice.untried],
        }
        self._cache.remember(key, content)

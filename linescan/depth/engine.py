"""Opening an engine: by name, or the fastest that loads and agrees with the fp32 reference."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Literal, get_args

from linescan.depth.backends.base import BackendName, Engine, Precision, Setup, cores
from linescan.depth.cache import Cache
from linescan.depth.candidates import BACKENDS, REFERENCE, Candidate, candidates
from linescan.depth.card import ModelCard, read_card
from linescan.depth.choice import Chooser
from linescan.depth.fallback import FallbackEngine
from linescan.depth.machine import cpu_flags
from linescan.errors import ModelError

__all__ = ["REFERENCE", "Candidate", "Engine", "candidates", "open_engine"]

log = logging.getLogger(__name__)

VNNI = ("avx512_vnni", "avx_vnni")
"""Flags of x86 CPUs that add products of bytes without saturating in between."""
INT8_TOLERANCE = 0.1
"""Of the gate for an int8 file, where the given one is smaller. Engines round its numbers to other
bytes, so that they differ from each other by more than each does from the original; how far that is
was measured when the file was made, and stands in its record. The gate finds what is broken."""


def open_engine(
    model: str | Path | ModelCard,
    backend: BackendName | Literal["auto"] = "auto",
    precision: Precision | Literal["auto"] = "auto",
    size: tuple[int, int] | Literal["auto"] = "auto",
    threads: int | None = None,
    *,
    tolerance: float = 0.02,
    cache: Path | None = None,
) -> Engine:
    """Load a model; the values are those of the configuration's ``depth`` section.

    Where the engine fails later, the next best takes over, at last the fp32 reference (ONNX Runtime
    on the CPU), also where a backend was named: see ``FallbackEngine``. With an infinite tolerance
    nothing takes over.

    Args:
        model: a name of the registry, the path of an .onnx file, or its card.
        backend: what runs it; ``"auto"`` takes the fastest that loads and passes the gate.
        precision: of the arithmetic; ``"auto"`` takes the fastest that passes the gate.
        size: rows and columns of the model; ``"auto"`` takes its own.
        threads: CPU threads; all cores where None, never more than there are.
        tolerance: most deviation from the fp32 reference: RMS after an affine alignment, in
            standard deviations of the reference; infinite to open an engine whatever it shows. For
            an int8 file ``INT8_TOLERANCE`` where that is more.
        cache: folder for built engines and remembered choices; the user's where None.

    Raises:
        ModelError: no such model, or nothing that was asked for loads and passes the gate.
    """
    card = model if isinstance(model, ModelCard) else read_card(model)
    wanted = _wanted(card, backend, precision)
    setup = Setup(card.resolve_size(size), _threads(threads))
    if card.precision == "int8":
        log.warning("%s", _quantised(card))
        flags = cpu_flags()
        if flags is not None and flags.isdisjoint(VNNI):
            log.warning(
                "this CPU has no int8 arithmetic (VNNI): '%s' is slow on it, sums may saturate; "
                "use the original",
                card.name,
            )
        tolerance = max(tolerance, INT8_TOLERANCE)
    if card.precision != "fp32":
        log.info(
            "depth model '%s' computes in %s: the reference that engines are compared with is this "
            "file, not the fp32 original",
            card.name,
            card.precision,
        )
    chooser = Chooser(card, setup, wanted, tolerance, Cache(cache))
    engine, choice = chooser.open()
    if math.isinf(tolerance) or choice.ranked[0] == REFERENCE:
        return engine
    # What would have to be built first is no successor: the line does not wait for minutes.
    untried = [each for each in choice.untried if not each.slow_to_build]
    return FallbackEngine(engine, [*choice.ranked[1:], *untried], chooser)


def _wanted(card: ModelCard, backend: str, precision: str) -> list[Candidate]:
    """The candidates that match a request."""
    if backend not in ("auto", *BACKENDS):
        raise ModelError(f"backend '{backend}': expected auto, {', '.join(BACKENDS)}")
    precisions = ("auto", *get_args(Precision))
    if precision not in precisions:
        raise ModelError(f"precision '{precision}': expected {', '.join(precisions)}")
    known = [c for c in candidates(card) if backend in ("auto", c.backend)]
    matching = [c for c in known if precision in ("auto", c.precision)]
    if not matching:
        offers = ", ".join(dict.fromkeys(c.precision for c in known))
        raise ModelError(
            f"backend {backend} does not run '{card.name}' in {precision}: it offers {offers}"
        )
    return matching


def _threads(threads: int | None) -> int:
    most = cores()
    if threads is None:
        return most
    if threads < 1:
        raise ModelError(f"threads {threads}: expected at least 1")
    if threads > most:
        log.warning("depth.threads asks for %d, there are %d cores: using %d", threads, most, most)
    return min(threads, most)


def _quantised(card: ModelCard) -> str:
    measured = card.verification.get("deviation")
    how = f"{measured:.2g} standard deviations" if measured is not None else "an unknown amount"
    return (
        f"depth model '{card.name}' is quantised to int8: on the frames that it was judged by it "
        f"deviates by {how} from the original"
    )

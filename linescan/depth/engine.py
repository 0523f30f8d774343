"""Opening an engine: by name, or the first backend that really loads.

A backend counts as loaded when its session says so, a warm-up on a probe image gives finite output
and that output agrees with the fp32 reference (ONNX Runtime on the CPU) on the weights it will run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from linescan.depth.backends.base import (
    BackendMissingError,
    BackendName,
    Engine,
    Precision,
    cores,
    first_line,
)
from linescan.depth.backends.onnxruntime_cpu import CpuEngine
from linescan.depth.backends.onnxruntime_cuda import CudaEngine
from linescan.depth.backends.openvino import OpenVinoEngine
from linescan.depth.card import ModelCard, read_card
from linescan.depth.probe import probe_image
from linescan.errors import ModelError
from linescan.records import FloatArray

__all__ = ["AUTO_ORDER", "MAX_DEVIATION", "Engine", "deviation", "open_engine"]

log = logging.getLogger(__name__)

_ENGINES: dict[BackendName, Callable[[ModelCard, tuple[int, int], Precision, int], Engine]] = {
    "cuda": CudaEngine,
    "openvino": OpenVinoEngine,
    "cpu": CpuEngine,
}

AUTO_ORDER: tuple[BackendName, ...] = tuple(_ENGINES)
"""What ``backend="auto"`` tries, in this order."""

MAX_DEVIATION: dict[Precision, float] = {"fp32": 0.01, "bf16": 0.15}
"""Most RMS deviation from the reference, in standard deviations of the reference's output.

0.15 means a correlation of about 0.99; trained weights in bf16 stay near 0.01.
"""


def open_engine(
    model: str | Path | ModelCard,
    backend: BackendName | Literal["auto"] = "auto",
    precision: Precision = "fp32",
    size: tuple[int, int] | Literal["auto"] = "auto",
    threads: int | None = None,
) -> Engine:
    """Load a model; the values are those of the configuration's ``depth`` section.

    Args:
        model: a name of the registry, the path of an .onnx file, or its card.
        backend: what runs it; ``"auto"`` takes the first of ``AUTO_ORDER`` that really loads and
            logs why each one before it did not: a warning where it is installed.
        precision: of the arithmetic.
        size: rows and columns of the input; ``"auto"`` takes the model's own.
        threads: CPU threads; all cores where None, never more than there are.

    Raises:
        ModelError: no such model, or the named backend, or with ``"auto"`` none, loads.
    """
    card = model if isinstance(model, ModelCard) else read_card(model)
    if precision not in MAX_DEVIATION:
        raise ModelError(f"precision '{precision}': expected {' or '.join(MAX_DEVIATION)}")
    if backend != "auto" and backend not in _ENGINES:
        raise ModelError(f"backend '{backend}': expected auto, {', '.join(_ENGINES)}")
    shape = card.resolve_size(size)
    count = _threads(threads)
    failures = []
    for name in AUTO_ORDER if backend == "auto" else (backend,):
        try:
            engine = _load(name, card, shape, precision, count)
        except ModelError as error:
            failures.append(f"{name}: {error}")
            if backend == "auto":
                level = logging.INFO if isinstance(error, BackendMissingError) else logging.WARNING
                log.log(level, "depth backend %s does not load: %s", name, error)
            continue
        log.info(
            "depth model '%s' runs on %s (%s), %dx%d", card.name, engine.name, engine.device, *shape
        )
        return engine
    what = "no backend loads" if backend == "auto" else "cannot load"
    raise ModelError(f"{what} depth model '{card.name}' in {precision}: {'; '.join(failures)}")


def deviation(output: FloatArray, reference: FloatArray) -> float:
    """RMS of the difference, in standard deviations of the reference."""
    rms = float(np.sqrt(np.mean(np.square(output.astype(np.float64) - reference))))
    spread = float(reference.std(dtype=np.float64))
    return rms / spread if spread else (0.0 if rms == 0.0 else float("inf"))


def _load(
    name: BackendName, card: ModelCard, size: tuple[int, int], precision: Precision, threads: int
) -> Engine:
    try:
        engine = _ENGINES[name](card, size, precision, threads)
    except ModelError:
        raise
    except Exception as error:  # drivers and native libraries raise what they like
        raise ModelError(f"failed to load: {first_line(error)}") from error
    try:
        _check(engine, threads)
    except ModelError:
        engine.close()
        raise
    return engine


def _check(engine: Engine, threads: int) -> None:
    """Warm up, and compare with the reference on the weights that will run."""
    probe = probe_image(*engine.size)
    output = engine.infer(probe)
    if engine.backend == "cpu":
        return
    reference = CpuEngine(engine.card, engine.size, "fp32", threads)
    try:
        off = deviation(output, reference.infer(probe))
    finally:
        reference.close()
    log.info("%s deviates from the fp32 reference by %.2g sigma", engine.name, off)
    if off > MAX_DEVIATION[engine.precision]:
        raise ModelError(
            f"{engine.name} deviates from the fp32 reference by {off:.2g} standard deviations, "
            f"more than {MAX_DEVIATION[engine.precision]:g}"
        )


def _threads(threads: int | None) -> int:
    most = cores()
    if threads is None:
        return most
    if threads < 1:
        raise ModelError(f"threads {threads}: expected at least 1")
    if threads > most:
        log.warning("depth.threads asks for %d, there are %d cores: using %d", threads, most, most)
    return min(threads, most)

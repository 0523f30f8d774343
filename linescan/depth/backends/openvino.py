"""OpenVINO on the CPU, fp32 or bf16."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import (
    BackendMissingError,
    BackendName,
    Engine,
    Precision,
    first_line,
)
from linescan.depth.card import ModelCard
from linescan.errors import ModelError, install_hint
from linescan.records import FloatArray

DEVICE = "CPU"
HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoEngine(Engine):
    """OpenVINO with its inference precision stated.

    Left alone, OpenVINO computes in bf16 on every CPU that has it, and says nothing.
    """

    backend: BackendName = "openvino"

    def __init__(
        self, card: ModelCard, size: tuple[int, int], precision: Precision, threads: int
    ) -> None:
        core = _core()
        if precision == "bf16" and "BF16" not in core.get_property(
            DEVICE, "OPTIMIZATION_CAPABILITIES"
        ):
            raise ModelError("this CPU has no bf16 arithmetic: set depth.precision to fp32")
        device = str(core.get_property(DEVICE, "FULL_DEVICE_NAME")).strip()
        super().__init__(card, size, precision, f"{device}, {threads} threads")
        config = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        try:
            model = core.read_model(str(card.path))
            model.reshape([1, 1, *size])
            self._compiled = core.compile_model(model, DEVICE, config)
            self._request = self._compiled.create_infer_request()
        except Exception as error:  # OpenVINO's errors share no base class
            raise ModelError(
                f"{card.path}: OpenVINO cannot load it: {first_line(error)}"
            ) from error
        got = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if got not in {HINTS[precision], "float32" if precision == "fp32" else "bfloat16"}:
            raise ModelError(f"OpenVINO would compute in {got}, not in {precision}")

    def _run(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        self._request.infer([image[None, None]])
        # The request's own buffer is overwritten by the next run.
        return np.array(self._request.get_output_tensor(0).data[0], dtype=np.float32)

    def _free(self) -> None:
        del self._request, self._compiled


def _core() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise BackendMissingError(
            f"OpenVINO is not installed; {install_hint('cpu')} ({error})"
        ) from error
    return openvino.Core()

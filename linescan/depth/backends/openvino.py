"""OpenVINO on the CPU: fp32, bf16, or a bf16 encoder with an fp32 head.

What precedes the transformer stays in fp32 always, see ``_stem``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import (
    BackendMissingError,
    BackendName,
    LoadedModel,
    Precision,
    PrecisionMissingError,
    Setup,
    first_line,
)
from linescan.depth.backends.built import writable
from linescan.depth.card import ModelCard
from linescan.depth.machine import cpu_flags
from linescan.errors import ModelError
from linescan.records import FloatArray

DEVICE = "CPU"
HINTS = {"fp32": ("f32", "float32"), "bf16": ("bf16", "bfloat16")}
"""OpenVINO's names of a precision: as a hint, and as it reports the type."""

BF16_FLAGS = ("avx512_bf16", "amx_bf16", "avx_ne_convert")


class OpenVinoEngine(LoadedModel):
    """OpenVINO with its inference precision stated.

    Left alone, OpenVINO computes in bf16 on every CPU that has it, and says nothing.
    """

    backend: BackendName = "openvino"
    precisions = ("bf16", "bf16_mixed", "fp32")
    keeps = True

    def __init__(self, card: ModelCard, precision: Precision, setup: Setup) -> None:
        core = _core()
        if precision != "fp32" and not has_bf16(core):
            raise PrecisionMissingError(
                "this CPU has no bf16 arithmetic: set depth.precision to fp32 or auto"
            )
        device = str(core.get_property(DEVICE, "FULL_DEVICE_NAME")).strip()
        super().__init__(card, precision, setup, f"{device}, {setup.threads} threads")
        setup = replace(setup, cache=writable(setup.cache))
        try:
            requests = self._load(core, setup)
        except ModelError:
            raise
        except Exception as error:  # OpenVINO's errors share no base class
            raise ModelError(
                f"{card.path}: OpenVINO cannot load it: {first_line(error)}"
            ) from error
        for before, after in pairwise(requests):
            for index in range(len(after.model_inputs)):
                # Each part reads where the one before it writes.
                after.set_input_tensor(index, before.get_output_tensor(index))
        self._requests = requests
        self._input = requests[0].get_input_tensor().data
        self._output = requests[-1].get_output_tensor().data

    def _load(self, core: Any, setup: Setup) -> list[Any]:
        """The requests to run one after the other, one for each part of a precision of its own."""
        cuts: list[tuple[str, ...]] = []
        precisions: list[Precision] = [self.precision]
        if self.precision != "fp32":
            precisions = ["bf16"]
            if stem := _stem(self._read(core)):
                cuts, precisions = [(stem,)], ["fp32", "bf16"]
        if self.precision == "bf16_mixed":
            cuts.append(self.card.features)
            precisions.append("fp32")
        edges = [(), *cuts, ()]
        parts = [
            _part(self._read(core), start, end) if cuts else self._read(core)
            for start, end in pairwise(edges)
        ]
        return [
            _compile(core, part, precision, setup)
            for part, precision in zip(parts, precisions, strict=True)
        ]

    def _read(self, core: Any) -> Any:
        model = core.read_model(str(self.card.path))
        model.reshape([1, self.card.channels, *self.image_shape[:2]])
        return model

    def _run(self, planes: npt.NDArray[np.uint8]) -> FloatArray:
        np.copyto(self._input, planes)
        for request in self._requests:
            request.infer()
        # The request's own buffer is overwritten by the next run.
        return np.array(self._output[0], dtype=np.float32)

    def _free(self) -> None:
        del self._input, self._output, self._requests


def has_bf16(core: Any) -> bool:
    """The CPU computes in bf16, and faster than in fp32.

    OpenVINO reports bf16 for each CPU with AVX-512 and emulates it where the instructions are
    missing. Without AVX-512 it reports what is there.
    """
    if "BF16" not in core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
        return False
    flags = cpu_flags()
    return flags is None or "avx512f" not in flags or not flags.isdisjoint(BF16_FLAGS)


def _compile(core: Any, model: Any, precision: Precision, setup: Setup) -> Any:
    hint, name = HINTS[precision]
    config: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": hint,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": setup.threads,
        # Pinned threads wait for their core while another stage is on it, though one is free.
        "ENABLE_CPU_PINNING": False,
    }
    if setup.cache is not None:
        # Compiling folds constants slowly: seconds for a dynamic model.
        config["CACHE_DIR"] = str(setup.cache)
    compiled = core.compile_model(model, DEVICE, config)
    got = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if got not in (hint, name):
        raise ModelError(f"OpenVINO would compute in {got}, not in {precision}")
    return compiled.create_infer_request()


def _stem(model: Any) -> str | None:
    """Name of the patch embedding's output; None where the model has none.

    It sees raw gray values, large and far from zero: rounding its weights to bf16 causes a good
    part of the whole deviation, while fp32 for this hundredth of the work costs no time. The same
    holds for the resize before it, where the model has one.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convolution":
            followers = [target.get_node() for target in node.output(0).get_target_inputs()]
            bias = [each for each in followers if each.get_type_name() == "Add"]
            return next(iter((*bias, node)[0].output(0).get_names()), None)
    return None


def _part(model: Any, start: tuple[str, ...], end: tuple[str, ...]) -> Any:
    """The part of a model between named tensors, which become inputs and outputs in their order.

    Empty stands for the model's own inputs or outputs.
    """
    import openvino
    from openvino import opset13

    _fix_shapes(model)
    results = [opset13.result(_tensor(model, name)) for name in end] or model.get_results()
    inputs = []
    for name in start:
        tensor = _tensor(model, name)
        parameter = opset13.parameter(tensor.get_shape(), tensor.get_element_type())
        for target in tensor.get_target_inputs():
            target.replace_source_output(parameter.output(0))
        inputs.append(parameter)
    return openvino.Model(results, inputs or model.get_parameters())


def _fix_shapes(model: Any) -> None:
    """Turn shapes that are asked for into constants: no part then asks for one before its start."""
    from openvino import opset13

    for node in model.get_ordered_ops():
        if node.get_type_name() == "ShapeOf":
            kind = node.get_output_element_type(0).to_dtype()
            shape = opset13.constant(np.array(node.get_input_shape(0), kind))
            for target in node.output(0).get_target_inputs():
                target.replace_source_output(shape.output(0))


def _tensor(model: Any, name: str) -> Any:
    for node in model.get_ordered_ops():
        for output in node.outputs():
            if name in output.get_names():
                return output
    raise ModelError(f"the model has no tensor '{name}' between encoder and head: export it again")


def _core() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise BackendMissingError(
            f"OpenVINO is not installed: pip install openvino ({error})"
        ) from error
    return _only_core(openvino.Core)


@cache
def _only_core(make: Any) -> Any:
    """One for the process, never freed.

    The CPU plugin gives the thread that loads it a stack for signal handlers, and unmaps that when
    the last core goes, on whatever thread this happens: the next SIGTERM to the first thread then
    ends the process with a segmentation fault.
    """
    return make()

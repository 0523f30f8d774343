"""The ONNX graph: tracing it, cleaning it, storing its weights as fp16, its metadata."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from linescan.depth.backends.base import first_line
from linescan.depth.card import COLUMNS, INPUT, OUTPUT, PREFIX, ROWS
from linescan.depth.export.fold import GrayDepth
from linescan.depth.models import PATCH
from linescan.errors import ModelError

OPSET = 20
MAX_PATCHES = 292
"""Along a side of a dynamic model: 4,088 pixels, as the configuration allows."""
DYNAMIC_EXAMPLE = (6 * PATCH, 8 * PATCH)
"""What a dynamic model is traced with: not square, so that no two sides are taken for one, and
never the trained grid, where the backbone skips the interpolation of its position embedding."""
MIN_STORED = 256
"""Smaller weights stay fp32: they save nothing."""
MAX_ROUNDING = 5e-4
"""Relative RMS rounding error of a tensor stored as fp16; twice what rounding normal numbers
costs. Tensors with more (values too small or too large for fp16) stay fp32."""


def to_onnx(module: GrayDepth, size: tuple[int, int], *, dynamic: bool) -> Any:
    """Trace the model into an ``onnx.ModelProto`` that holds nothing but what engines need.

    Raises:
        ModelError: the model cannot be traced, or sizes that should be free are not.
    """
    shapes = None
    if dynamic:
        sides = (torch.export.Dim(name, min=2, max=MAX_PATCHES) for name in ("prow", "pcol"))
        shapes = {"gray": dict(zip((2, 3), (PATCH * side for side in sides), strict=True))}
    example = torch.zeros((1, 1, *(DYNAMIC_EXAMPLE if dynamic else size)), dtype=torch.uint8)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=shapes,
                verbose=False,
            )
    except Exception as error:  # the exporter wraps whatever went wrong in the model
        raise ModelError(f"the model cannot be exported: {first_line(error)}") from error
    if program is None:
        raise ModelError("the model cannot be exported: the exporter gave nothing")
    proto = program.model_proto
    _strip(proto)
    if dynamic:
        _name_free_sides(proto)
    return proto


def store_fp16(proto: Any) -> int:
    """Store large weights as fp16 followed by a Cast to fp32; how many were.

    Engines fold the casts when they load: arithmetic stays theirs to choose.
    """
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < MIN_STORED or not _fits_fp16(values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + ".fp16"))
        casts.append(helper.make_node("Cast", [name + ".fp16"], [name], to=TensorProto.FLOAT))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*casts, *nodes])
    return len(casts)


def set_metadata(proto: Any, values: Mapping[str, str]) -> None:
    """Replace the file's metadata by ``linescan.`` keys."""
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {PREFIX + key: value for key, value in values.items()})


def _fits_fp16(values: np.ndarray[Any, Any]) -> bool:
    with np.errstate(over="ignore"):
        stored = values.astype(np.float16).astype(np.float64)
    error = float(np.linalg.norm(stored - values))
    return bool(np.isfinite(error)) and error <= MAX_ROUNDING * float(np.linalg.norm(values))


def _strip(proto: Any) -> None:
    """Drop the tracer's notes: they hold source paths of this machine, and sizes of the example."""
    graph = proto.graph
    del graph.value_info[:]
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    proto.doc_string = ""


def _name_free_sides(proto: Any) -> None:
    given = [d for value in proto.graph.input for d in value.type.tensor_type.shape.dim[-2:]]
    made = [d for value in proto.graph.output for d in value.type.tensor_type.shape.dim[-2:]]
    names = [d.dim_param for d in given]
    if len(names) != 2 or not all(names) or names != [d.dim_param for d in made]:
        raise ModelError(
            f"a dynamic export froze a size: input {names}, output {[str(d).strip() for d in made]}"
        )
    for dims in (given, made):
        for dim, name in zip(dims, (ROWS, COLUMNS), strict=True):
            dim.dim_param = name


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on packages it could also support away from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

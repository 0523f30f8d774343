"""The ONNX graph: tracing encoder and head, joining them, cleaning up, metadata."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import compose
from torch import Tensor, nn

from linescan.depth.backends.base import first_line
from linescan.depth.card import (
    COLUMNS,
    ENCODER,
    HEAD,
    INPUT,
    MAX_PATCHES,
    OUTPUT,
    PREFIX,
    RGB_INPUT,
    ROWS,
)
from linescan.depth.export.network import Network
from linescan.depth.export.report import Attention
from linescan.depth.models import PATCH
from linescan.errors import ModelError

OPSETS: Mapping[Attention, int] = {"eager": 20, "fused": 23}
"""The Attention operator exists from opset 23 on. Below it, the exporter would write fused
attention as its parts, with an IsNaN and a Where for every layer."""
DYNAMIC_EXAMPLE = (6 * PATCH, 8 * PATCH)
"""What a dynamic model is traced with: not square, so that no two sides are taken for one."""


def to_onnx(
    network: Network, size: tuple[int, int], *, dynamic: bool, attention: Attention = "eager"
) -> Any:
    """Trace the model into an ``onnx.ModelProto`` that holds nothing but what engines need.

    Encoder and head are traced apart and joined: nothing but the feature maps goes from one to the
    other, and engines can take them apart again there (see ``features``).

    Raises:
        ModelError: the model cannot be traced, or sizes that should be free are not.
    """
    channels = network.encoder.patches.in_channels
    example = torch.zeros((1, channels, *(DYNAMIC_EXAMPLE if dynamic else size)), dtype=torch.uint8)
    with torch.no_grad():
        maps = network.encoder(example)
    free = [torch.export.Dim(name, min=2, max=MAX_PATCHES) for name in ("prow", "pcol")]
    names = [f"feature{i}" for i in range(len(maps))]
    opset = OPSETS[attention]
    encoder = _trace(
        network.encoder,
        (example,),
        (["image"], names),
        {"image": {2: PATCH * free[0], 3: PATCH * free[1]}} if dynamic else None,
        opset,
    )
    head = _trace(
        network.head,
        tuple(maps),
        (names, [OUTPUT]),
        {"maps": tuple({2: free[0], 3: free[1]} for _ in maps)} if dynamic else None,
        opset,
    )
    proto = compose.merge_models(
        encoder, head, [(name, name) for name in names], prefix1=ENCODER, prefix2=HEAD
    )
    _rename(
        proto, {ENCODER + "image": INPUT if channels == 1 else RGB_INPUT, HEAD + OUTPUT: OUTPUT}
    )
    _strip(proto)
    if dynamic:
        _name_free_sides(proto)
    return proto


def features(proto: Any) -> tuple[str, ...]:
    """Names of the tensors in which the encoder hands over to the head, shallow ones first.

    Raises:
        ModelError: the head reads something else as well.
    """
    made = [name for node in proto.graph.node for name in node.output if _of(ENCODER, node)]
    read = {name for node in proto.graph.node for name in node.input if _of(HEAD, node)}
    own = {name for node in proto.graph.node for name in node.output if _of(HEAD, node)}
    own |= {tensor.name for tensor in proto.graph.initializer}
    if other := read - own - set(made) - {""}:
        raise ModelError(f"the head reads {', '.join(sorted(other))} beside the feature maps")
    return tuple(name for name in made if name in read)


def set_metadata(proto: Any, values: Mapping[str, str]) -> None:
    """Replace the file's metadata by ``linescan.`` keys."""
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {PREFIX + key: value for key, value in values.items()})


def _trace(
    module: nn.Module,
    example: tuple[Tensor, ...],
    names: tuple[Sequence[str], Sequence[str]],
    shapes: Any,
    opset: int,
) -> Any:
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                opset_version=opset,
                input_names=list(names[0]),
                output_names=list(names[1]),
                dynamic_shapes=shapes,
                verbose=False,
            )
    except Exception as error:  # the exporter wraps whatever went wrong in the model
        raise ModelError(f"the model cannot be exported: {first_line(error)}") from error
    if program is None:
        raise ModelError("the model cannot be exported: the exporter gave nothing")
    return program.model_proto


def _of(part: str, node: Any) -> bool:
    return bool(node.name.startswith(part))


def _rename(proto: Any, names: Mapping[str, str]) -> None:
    graph = proto.graph
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for tensors in (node.input, node.output):
            for i, name in enumerate(tensors):
                if name in names:
                    tensors[i] = names[name]


def _strip(proto: Any) -> None:
    """Drop the tracer's notes: they hold source paths of this machine, and sizes of the example."""
    graph = proto.graph
    del graph.value_info[:]
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    graph.name = "depth"
    proto.doc_string = ""


def _name_free_sides(proto: Any) -> None:
    given = [d for value in proto.graph.input for d in value.type.tensor_type.shape.dim[-2:]]
    made = [d for value in proto.graph.output for d in value.type.tensor_type.shape.dim[-2:]]
    if len(given) != 2 or not all(d.dim_param for d in (*given, *made)):
        sides = [str(d).strip() for d in (*given, *made)]
        raise ModelError(f"a dynamic export froze a size: input and output {sides}")
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

"""The resize from the camera frame to the model's input, as part of the graph.

Two matrix products with constant weights: exact, static, and the same on every backend. Only uint8
pixels of the frame travel to the device. Needs onnx and numpy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, compose, helper, numpy_helper

from linescan.depth.card import ENCODER, FRAME

OPSET, IR_VERSION = 20, 10
"""Of the resize alone; joined to a network, it takes the network's."""
Weights = npt.NDArray[np.float64]


def resize_weights(source: int, target: int) -> Weights:
    """Weights of source pixels in each target pixel, (target, source) float64; rows sum to one.

    Shrinking, a target pixel is the mean over the area that it covers, as with OpenCV's
    ``INTER_AREA``; enlarging, it is interpolated linearly between pixel centres.
    """
    if target >= source:
        centres = (np.arange(target) + 0.5) * source / target - 0.5
        distance = np.abs(centres.clip(0, source - 1)[:, None] - np.arange(source))
        return np.maximum(1.0 - distance, 0.0)
    step = source / target
    first = np.arange(target)[:, None] * step
    pixels = np.arange(source)
    covered = np.minimum(first + step, pixels + 1) - np.maximum(first, pixels)
    return np.maximum(covered, 0.0) / step


def resize(frame: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """What the graph computes before it rounds to whole gray values, in float64.

    (H, W) or (H, W, c) to (h, w) or (h, w, c), with (h, w) = ``size``.
    """
    rows = resize_weights(frame.shape[0], size[0])
    columns = resize_weights(frame.shape[1], size[1])
    return np.einsum("hH,HW...,wW->hw...", rows, frame.astype(np.float64), columns, optimize=True)


def frame_resize(frame_size: tuple[int, int], size: tuple[int, int], channels: int) -> Any:
    """A model of the resize alone: ``frame`` (1, c, H, W) uint8 to ``image`` (1, c, h, w) float32.

    Values are rounded to whole gray values, half to even: the network sees the same as from an
    image that was resized before.
    """
    weights = {
        "rows": resize_weights(frame_size[0], size[0]),
        "columns": resize_weights(frame_size[1], size[1]).T,
    }
    by_rows = helper.make_node("MatMul", ["rows", "{}"], ["{}"], name="shrink_rows")
    by_columns = helper.make_node("MatMul", ["{}", "columns"], ["{}"], name="shrink_columns")
    order = [by_rows, by_columns] if _rows_first(frame_size, size) else [by_columns, by_rows]
    for node, source, target in zip(order, ("pixels", "half"), ("half", "whole"), strict=True):
        node.input[:] = [name.format(source) for name in node.input]
        node.output[:] = [target]
    nodes = [
        helper.make_node("Cast", ["frame"], ["pixels"], name="to_float", to=TensorProto.FLOAT),
        *order,
        helper.make_node("Round", ["whole"], ["image"], name="round"),
    ]
    given = helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, channels, *frame_size])
    made = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, *size])
    constants = [
        numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()
    ]
    graph = helper.make_graph(nodes, "frame", [given], [made], constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def prepend(resizing: Any, network: Any) -> Any:
    """Join the resize and an exported network, whose input keeps its name."""
    name = network.graph.input[0].name
    resizing.opset_import[0].version = network.opset_import[0].version
    resizing.ir_version = network.ir_version
    floats = compose.add_prefix(resizing, FRAME)
    graph = network.graph
    (cast,) = (node for node in graph.node if name in node.input)
    cast.input[0] = ENCODER + "image"
    graph.input[0].CopyFrom(floats.graph.output[0])
    graph.input[0].name = ENCODER + "image"
    joined = compose.merge_models(floats, network, [(FRAME + "image", ENCODER + "image")])
    joined.graph.input[0].name = name
    for node in joined.graph.node:
        if node.input[0] == FRAME + "frame":
            node.input[0] = name
    return joined


def _rows_first(source: tuple[int, int], target: tuple[int, int]) -> bool:
    """Which of the two orders takes fewer multiplications."""
    rows = target[0] * source[1] * (source[0] + target[1])
    return rows <= source[0] * target[1] * (source[1] + target[0])

"""Real engines of models whose depth is a weighted sum of the channels: the answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from linescan.depth import open_engine, read_card
from linescan.evaluation.gray_rgb.colour import ColourPicture
from linescan.evaluation.gray_rgb.compare import Difference, PictureScore, Round, Truth
from linescan.evaluation.gray_rgb.engines import EnginePair
from tests.depth.onnx_files import METADATA

SIZE = (56, 70)
LUMA = (0.299, 0.587, 0.114)


def open_sums(folder: Path, rgb: tuple[float, float, float], gray: float = 1.0) -> EnginePair:
    """Engines that give ``rgb[0] R + rgb[1] G + rgb[2] B``, and ``gray`` times the gray image."""
    return EnginePair(
        gray=_open(folder / "gray.onnx", "gray", (gray,)),
        rgb=_open(folder / "rgb.onnx", "rgb", rgb),
    )


def _open(path: Path, name: str, weights: tuple[float, ...]) -> Any:
    count = len(weights)
    nodes = [
        helper.make_node("Cast", [name], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axis"], ["depth"], keepdims=0),
    ]
    constants = [
        helper.make_tensor("weights", TensorProto.FLOAT, [1, count, 1, 1], weights),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    source = helper.make_tensor_value_info(name, TensorProto.UINT8, [1, count, *SIZE])
    depth = helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, *SIZE])
    graph = helper.make_graph(nodes, name, [source], [depth], constants)
    proto: Any = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    helper.set_model_props(proto, {f"linescan.{k}": v for k, v in METADATA.items()})
    onnx.save(proto, str(path))
    return open_engine(read_card(path), "cpu", "fp32", threads=1, cache=path.parent / "cache")


def colour_noise(seed: int = 0, shape: tuple[int, int] = (112, 140)) -> NDArray[np.uint8]:
    """(rows, columns, 3) blotches of independent colours, away from black and white."""
    coarse = np.random.default_rng(seed).integers(40, 215, (shape[0] // 7, shape[1] // 7, 3))
    return np.repeat(np.repeat(coarse, 7, axis=0), 7, axis=1).astype(np.uint8)


def picture(seed: int = 0, height: NDArray[np.float32] | None = None) -> ColourPicture:
    """A picture of such blotches."""
    return ColourPicture(f"blotches-{seed}.png", colour_noise(seed), height)


def score(
    deviation: float,
    *,
    jpeg: float = 0.01,
    same_sign: bool = True,
    ratios: tuple[float, ...] = (1.0,),
    truth: Truth | None = None,
) -> PictureScore:
    """A score with given figures; RGB takes 10 ms."""
    return PictureScore(
        name="some.png",
        shape=(100, 200),
        colour=30.0,
        gray=Difference(0.99, deviation, same_sign),
        noise=Difference(0.999, 0.005, same_sign=True),
        jpeg=Difference(0.998, jpeg, same_sign=True),
        rounds=tuple(Round(1.0 * r, 9.0 * r, 1.0, 9.0) for r in ratios),
        truth=truth,
    )

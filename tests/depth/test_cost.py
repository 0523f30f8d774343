from __future__ import annotations

import math
from pathlib import Path

import pytest

from linescan.depth import read_card
from linescan.depth.card import ModelCard
from linescan.depth.cost import cost, tokens
from linescan.errors import ModelError


def counted_by_openvino(card: ModelCard, size: tuple[int, int]) -> float:
    """10⁹ operations, from the shapes that OpenVINO finds for each product and convolution."""
    import openvino

    model = openvino.Core().read_model(str(card.path))
    model.reshape([1, 1, *size])
    total = 0
    for op in model.get_ops():
        shapes = [list(op.input(k).get_shape()) for k in range(op.get_input_size())]
        out = list(op.output(0).get_shape()) if op.get_output_size() else []
        match op.get_type_name():
            case "MatMul":
                inner = shapes[0][-2 if op.get_attributes()["transpose_a"] else -1]
                total += 2 * inner * math.prod(out)
            case "Convolution":
                total += 2 * math.prod(shapes[1][1:]) * math.prod(out)
            case "ConvolutionBackpropData":
                total += 2 * math.prod(shapes[1][1:]) * math.prod(shapes[0])
    return total / 1e9


@pytest.mark.parametrize("size", [(252, 252), (518, 518), (266, 1036), (28, 714), (126, 42)])
def test_operations_are_those_of_the_graph(size: tuple[int, int]) -> None:
    card = read_card("surface-tiny")
    found = cost(card, size)
    assert found.gflop == pytest.approx(counted_by_openvino(card, size), rel=1e-9)
    assert found.tokens == tokens(size) == size[0] // 14 * (size[1] // 14) + 1


def test_cost_grows_faster_than_tokens() -> None:
    """Attention is quadratic: two passes of half the size cost less than one."""
    card = read_card("surface-tiny")
    one, two = cost(card, (518, 1036)), cost(card, (518, 518))
    assert one.tokens == pytest.approx(2 * two.tokens, rel=1e-3)
    assert one.gflop > 2.1 * two.gflop


def test_a_file_of_other_making_does_not_tell(handmade: Path) -> None:
    with pytest.raises(ModelError, match="no names that tell their cost"):
        cost(read_card(handmade), (28, 42))

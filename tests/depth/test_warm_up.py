from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.depth import open_engine, read_card
from linescan.depth.cost import cost
from linescan.depth.warm_up import measure, pass_ms
from linescan.errors import ModelError


def test_a_frame_costs_the_sum_of_its_passes() -> None:
    card = read_card("surface-tiny")
    sizes = ((56, 56), (28, 84))
    engines = {size: open_engine(card, "cpu", "fp32", size) for size in sizes}
    found = measure((sizes[0], sizes[0], sizes[1]), engines)
    assert found.gflop == pytest.approx(2 * cost(card, sizes[0]).gflop + cost(card, sizes[1]).gflop)
    assert found.tokens == 2 * 17 + 13
    assert found.engine == "cpu-fp32"
    assert found.ms > 0
    for engine in engines.values():
        engine.close()
    with pytest.raises(ModelError, match="closed"):
        pass_ms(engines[sizes[0]])


def test_a_model_that_does_not_tell_its_operations_is_timed_all_the_same(handmade: Path) -> None:
    engine = open_engine(handmade, "cpu", size=(28, 42))
    found = measure(((28, 42),), {(28, 42): engine})
    engine.close()
    assert (found.gflop, found.tokens) == (None, 7)
    assert np.isfinite(found.ms)

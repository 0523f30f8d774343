from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linescan.config import DepthSection
from linescan.depth import open_engine, read_card
from linescan.depth.cost import cost
from linescan.depth.framing import Framing, Plan
from linescan.depth.framing.fit import Fits, fit_tiles
from linescan.depth.warm_up import align_ms, measure, pass_ms
from linescan.errors import ModelError


def test_a_frame_costs_the_sum_of_its_passes() -> None:
    card = read_card("surface-tiny")
    sizes = ((56, 56), (28, 84))
    engines = {size: open_engine(card, "cpu", "fp32", size) for size in sizes}
    window = sizes[0]
    plan = Plan((100, 200), (56, 100), window, (0,), (0, 44), (42, 84), coarse_window=sizes[1])
    found = measure(plan, engines)
    assert found.gflop == pytest.approx(2 * cost(card, sizes[0]).gflop + cost(card, sizes[1]).gflop)
    assert found.tokens == 2 * 17 + 13
    assert found.engine == "cpu-fp32"
    assert 0 < found.align_ms < found.ms
    for engine in engines.values():
        engine.close()
    with pytest.raises(ModelError, match="closed"):
        pass_ms(engines[sizes[0]])


def test_a_model_that_does_not_tell_its_operations_is_timed_all_the_same(handmade: Path) -> None:
    engine = open_engine(handmade, "cpu", size=(28, 42))
    found = measure(Plan((28, 42), (28, 42), (28, 42)), {(28, 42): engine})
    engine.close()
    assert (found.gflop, found.tokens) == (None, 7)
    assert np.isfinite(found.ms)
    assert found.align_ms == 0.0


def test_tiles_are_fitted_and_blended_to_learn_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the parts that frames use, on passes that agree as those of a model do."""
    from linescan.depth.framing import assemble

    fitted: list[tuple[int, float]] = []

    def noted(count: int, *samples: Any) -> Fits:
        fits = fit_tiles(count, *samples)
        fitted.append((count, float(np.median(fits.agreement))))
        return fits

    monkeypatch.setattr(assemble, "fit_tiles", noted)
    section = DepthSection(mode="tile", tile=126, size=(126, 126))
    plan = Framing(section, read_card("surface-tiny"), (252, 500)).nominal
    assert align_ms(plan) > 0.0
    assert len(fitted) >= 2  # the first is not counted
    assert {count for count, _ in fitted} == {len(plan.passes) - 1}
    assert min(agreement for _, agreement in fitted) > 0.6


def test_what_takes_all_the_time_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from linescan.depth import warm_up

    class Slow:
        image_shape = (28, 42)
        runs = 0

        def infer(self, image: Any) -> None:
            self.runs += 1

    quick, slow = Slow(), Slow()
    assert pass_ms(quick) > 0.0  # type: ignore[arg-type]
    monkeypatch.setattr(warm_up, "MOST_S", 0.0)
    assert pass_ms(slow) > 0.0  # type: ignore[arg-type]
    assert (quick.runs, slow.runs) == (warm_up.ROUNDS + 1, 1)

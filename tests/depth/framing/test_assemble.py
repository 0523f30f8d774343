"""Tiles of a known field through the real plan, fit and blend; only the model is a formula."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.depth.framing.assemble import Assembled, Run, assemble
from linescan.depth.framing.plan import Plan
from linescan.depth.resize import resize_area
from linescan.records import FloatArray
from tests.depth.framing.test_plan import framing

Image = np.ndarray[Any, np.dtype[np.uint8]]


def field(rows: int, columns: int, seed: int = 0) -> Image:
    """A smooth surface with bumps of all sizes, as gray values."""
    rng = np.random.default_rng(seed)
    total = np.zeros((rows, columns))
    for period in (12, 50, 160):
        knots = rng.normal(size=(rows // period + 2, columns // period + 2))
        total += cv2.resize(knots, (columns, rows), interpolation=cv2.INTER_CUBIC)
    total -= total.min()
    return np.asarray(total / total.max() * 255, np.uint8)


def true_depth(image: Image) -> FloatArray:
    return np.asarray(image / 8, np.float32)


class Model:
    """Depth is gray / 8, but for a scale and a shift that differ from pass to pass."""

    def __init__(self, seed: int, scale: float = 0.4, shift: float = 20.0) -> None:
        self._rng = np.random.default_rng(seed)
        self._scale, self._shift = scale, shift
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, image: Image) -> FloatArray:
        self.shapes.append(image.shape)
        scale = np.exp(self._rng.normal(0, self._scale)) if self._scale else 1.0
        depth = true_depth(image)
        shifted = depth * scale + self._rng.normal(0, self._shift)
        return np.asarray(shifted, np.float32)


def run(plan: Plan, image: Image, model: Run, valid: Any = None) -> Assembled:
    valid = np.ones(plan.canvas[0], np.bool_) if valid is None else valid
    coarse = model if plan.coarse_window else None
    return assemble(plan, image, valid, model, coarse)


def affine(values: FloatArray, truth: FloatArray) -> tuple[FloatArray, float]:
    """``values`` fitted to ``truth``, and the fit's scale."""
    scale, shift = np.polyfit(values.ravel().astype(np.float64), truth.ravel(), 1)
    return np.asarray(scale * values + shift, np.float32), float(scale)


def steps_at_seams(plan: Plan, error: FloatArray) -> float:
    """Largest step of an error from one pixel to the next, anywhere."""
    return float(max(np.abs(np.diff(error, axis=k)).max(initial=0.0) for k in (0, 1)))


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    frame=st.sampled_from([(700, 3000), (512, 4096), (1300, 1700), (2000, 500)]),
    overlap=st.sampled_from([0.05, 0.125, 0.3, 0.5]),
)
def test_tiles_of_any_scale_and_shift_become_one_surface(
    seed: int, frame: tuple[int, int], overlap: float
) -> None:
    """Error below 5 % of the surface's deviation; steps below 0.5 % of it, seams included."""
    plan = framing(frame, mode="tile", tile=500, tile_overlap=overlap).nominal
    assert len(plan.passes) > 4
    image = field(*plan.canvas, seed)
    made = run(plan, image, Model(seed))
    truth = true_depth(image)
    fitted, _ = affine(made.values, truth)
    sigma = float(truth.std())
    assert np.abs(fitted - truth).max() <= 0.05 * sigma
    assert steps_at_seams(plan, fitted - truth) <= 0.005 * sigma
    assert made.confidence is not None
    assert made.confidence > 0.9


def test_without_the_fit_the_same_tiles_would_show_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the test above can fail."""
    from linescan.depth.framing import assemble as module
    from linescan.depth.framing.fit import Fits

    def none(count: int, *_: object) -> Fits:
        return Fits(np.ones(count), np.zeros(count), np.zeros(count))

    monkeypatch.setattr(module, "fit_tiles", none)
    plan = framing((700, 3000), mode="tile", tile=500).nominal
    image = field(*plan.canvas)
    truth = true_depth(image)
    fitted, _ = affine(run(plan, image, Model(1)).values, truth)
    assert np.abs(fitted - truth).max() > 0.5 * truth.std()


def test_noise_and_bent_tiles_are_blended_without_steps() -> None:
    """Tiles that each add noise and a bend of their own: no step at seams beyond noise."""
    plan = framing((700, 3000), mode="tile", tile=500, tile_overlap=0.25).nominal
    image = field(*plan.canvas)
    truth = true_depth(image)
    sigma = float(truth.std())
    rng = np.random.default_rng(4)
    model = Model(2)

    def bent(look: Image) -> FloatArray:
        values = model(look)
        spread = float(values.std())
        y, x = np.mgrid[-1 : 1 : values.shape[0] * 1j, -1 : 1 : values.shape[1] * 1j]
        bend = rng.normal() * y + rng.normal() * x + rng.normal() * y * x
        noise = rng.normal(size=values.shape)
        return np.asarray(values + spread * (0.08 * bend + 0.01 * noise), np.float32)

    fitted, _ = affine(run(plan, image, bent).values, truth)
    error = fitted - truth
    assert np.sqrt(np.mean(error**2)) <= 0.15 * sigma
    smooth = np.asarray(cv2.GaussianBlur(error, (0, 0), 3), np.float32)
    assert steps_at_seams(plan, smooth) <= 0.02 * sigma


def test_values_stay_in_the_unit_of_a_single_pass() -> None:
    """Where passes agree already, next to nothing is changed."""
    plan = framing((700, 3000), mode="tile", tile=500).nominal
    image = field(*plan.canvas)
    made = run(plan, image, Model(0, scale=0.0, shift=0.0))
    truth = image / 8
    np.testing.assert_allclose(made.values, truth, atol=0.01 * truth.std())


def test_a_flat_web_stays_flat() -> None:
    plan = framing((700, 3000), mode="tile", tile=500).nominal
    image = np.full(plan.canvas, 100, np.uint8)
    made = run(plan, image, Model(7))
    assert np.ptp(made.values) <= 1e-3
    # With noise that no two passes share, it is no rougher than a single pass.
    rng = np.random.default_rng(3)
    made = run(plan, image, lambda look: rng.normal(0, 0.1, look.shape).astype(np.float32))
    assert made.values.std() <= 0.105
    assert made.confidence is not None
    assert made.confidence < 0.3


def test_a_flat_tile_takes_the_scale_of_its_neighbours() -> None:
    """A bare stretch in the middle of the web: only its shift is fitted."""
    plan = framing((250, 3000), mode="tile", tile=250).nominal
    image = field(*plan.canvas)
    image[:, 1200:1900] = 128
    truth = true_depth(image)
    fitted, _ = affine(run(plan, image, Model(3, scale=0.2)).values, truth)
    bare = fitted[:, 1300:1800]
    assert np.ptp(bare) <= 0.02 * truth.std()


def test_a_coarse_pass_keeps_a_long_row_of_tiles_straight() -> None:
    """Small errors of 40 overlaps in a row add up to a drift; the coarse pass takes it out."""
    plan = framing((250, 9000), mode="tile", tile=250).nominal
    image = field(*plan.canvas)
    truth = true_depth(image)

    def worst(model: Run, *, coarse: bool) -> float:
        valid = np.ones(plan.canvas[0], np.bool_)
        made = assemble(plan, image, valid, model, model if coarse else None)
        error = affine(made.values, truth)[0] - truth
        return float(np.abs(cv2.blur(error, (200, 200))).max() / truth.std())

    def tilted(look: Image) -> FloatArray:
        """Each tile is tilted the same way: at every seam the same error is made."""
        values = true_depth(look)
        if look.shape == plan.window:
            values += np.linspace(-0.5, 0.5, look.shape[1], dtype=np.float32) * 0.1 * truth.std()
        return values

    assert worst(tilted, coarse=True) <= 0.6 * worst(tilted, coarse=False)


def test_invalid_rows_neither_matter_nor_cost_a_pass() -> None:
    plan = framing((2000, 600), mode="tile", tile=500).nominal
    image = field(*plan.canvas)
    truth = true_depth(image)
    valid = np.ones(plan.canvas[0], np.bool_)
    valid[300:700] = False
    spoilt = image.copy()
    spoilt[300:700] = spoilt[299]
    model = Model(5)
    made = run(plan, spoilt, model, valid)
    hidden = sum(not valid[max(t, 0) : t + plan.window[0]].any() for t in plan.tops)
    assert hidden > 0
    assert len(model.shapes) == len(plan.passes) - hidden * len(plan.lefts)
    for part in (slice(0, 300), slice(700, None)):
        fitted, _ = affine(made.values[part], truth[part])
        assert np.abs(fitted - truth[part]).max() <= 0.05 * truth[part].std()


def test_letterbox_shows_the_frame_undistorted_and_without_a_border() -> None:
    plan = framing((500, 1500), mode="letterbox", size=(252, 252)).nominal
    assert plan.canvas == (84, 252)
    pixels = np.zeros((500, 1500), np.uint8) + 90
    cv2.circle(pixels, (750, 250), 150, 200, -1)
    seen: list[Image] = []

    def model(look: Image) -> FloatArray:
        seen.append(look)
        return look.astype(np.float32)

    image = np.asarray(resize_area(pixels, plan.canvas), np.uint8)
    made = run(plan, image, model)
    (look,) = seen
    assert look.shape == (252, 252)
    assert look.min() >= 90  # edges repeated, never black
    np.testing.assert_array_equal(look[:84], np.repeat(look[84:85], 84, axis=0))
    np.testing.assert_array_equal(made.values, image)
    rows, columns = (np.flatnonzero((made.values > 145).any(axis=k)) for k in (1, 0))
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1  # a circle stays one
    assert made.confidence is None


def test_a_canvas_smaller_than_the_window_is_cut_out_again() -> None:
    plan = framing((100, 90), mode="tile", tile=252).nominal
    image = field(*plan.canvas)
    made = run(plan, image, lambda look: look.astype(np.float32))
    np.testing.assert_array_equal(made.values, image)
    assert made.values.flags.c_contiguous


def test_memory_is_a_few_times_the_depth_map() -> None:
    """The tiles are kept until they are fitted, and nothing else of the frame's size."""
    import tracemalloc

    plan = framing((1000, 16384), mode="tile", tile=500).nominal
    image = field(50, 50)[:1, :1].repeat(plan.canvas[0], 0).repeat(plan.canvas[1], 1)
    tiles = len(plan.passes) * plan.window[0] * plan.window[1] * 4
    tracemalloc.start()
    try:
        run(plan, image, Model(1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    canvas = plan.canvas[0] * plan.canvas[1] * 4
    assert peak <= 1.5 * (tiles + canvas)

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from linescan.config import DepthSection
from linescan.depth.card import ModelCard
from linescan.depth.framing import Framing, Plan
from linescan.depth.framing.plan import MOST_TILES, fit_into, spread
from linescan.errors import ModelError
from linescan.records import Convention

CARD = ModelCard(
    name="any",
    path=Path("any.onnx"),
    sha256="0" * 64,
    convention=Convention.HEIGHT,
    unit="relative",
    scale=1.0,
    shift=0.0,
    noise_floor=0.0,
    licence="",
    source="",
    input_size=(252, 252),
    dynamic=True,
    verification={},
)
frames = st.tuples(st.integers(1, 4096), st.integers(1, 16384))
sides = st.integers(2, 40).map(lambda n: 14 * n)
overlaps = st.floats(0.05, 0.5)
modes = st.sampled_from(["resize", "letterbox", "tile"])


def card(size: tuple[int, int] = (252, 252), **changes: Any) -> ModelCard:
    return dataclasses.replace(CARD, input_size=size, **changes)


def framing(frame: tuple[int, int], model: ModelCard = CARD, **section: Any) -> Framing:
    return Framing(DepthSection(**section), model, frame)


@given(length=st.integers(1, 20000), window=st.integers(2, 600), overlap=overlaps)
def test_windows_cover_everything_and_share_what_was_asked(
    length: int, window: int, overlap: float
) -> None:
    starts = spread(length, window, overlap)
    if length <= window:
        (start,) = starts
        assert start <= 0
        assert start + window >= length
        before, after = -start, start + window - length
        assert abs(before - after) <= 1
        return
    assert starts[0] == 0
    assert starts[-1] + window == length
    shared = np.diff(starts) * -1 + window
    assert (shared >= min(ceil(overlap * window), window - 1)).all()
    assert np.ptp(np.diff(starts)) <= 1
    # One window fewer could not cover the length.
    least = min(ceil(overlap * window), window - 1)
    assert (len(starts) - 1) * (window - least) + least < length


@settings(max_examples=200)
@given(
    frame=frames,
    size=st.tuples(sides, sides),
    dynamic=st.booleans(),
    mode=modes,
    tile=st.one_of(st.just("auto"), st.integers(64, 5000)),
    overlap=overlaps,
    first_line=st.integers(0, 2**40),
)
def test_any_plan_covers_its_canvas_and_maps_it_exactly(
    frame: tuple[int, int],
    size: tuple[int, int],
    dynamic: bool,
    mode: str,
    tile: Any,
    overlap: float,
    first_line: int,
) -> None:
    try:
        made = framing(
            frame, card(size, dynamic=dynamic), mode=mode, tile=tile, tile_overlap=overlap
        )
    except ModelError as error:
        assert f"at most {MOST_TILES}" in str(error)  # noqa: PT017 - most examples are laid out
        assume(False)
    plan = made.nominal
    assert min(plan.canvas) >= 1
    assert plan.window == made.size
    assert all(side % 14 == 0 and side >= 28 for each in plan.passes for side in each)
    if not dynamic:
        assert set(plan.passes) == {size}
    for canvas, window, starts in zip(
        plan.canvas, plan.window, (plan.tops, plan.lefts), strict=True
    ):
        covered = np.zeros(canvas, np.bool_)
        for start in starts:
            assert canvas <= window or 0 <= start <= canvas - window
            covered[max(start, 0) : start + window] = True
        assert covered.all()
    web = plan.web_map(first_line, (0.5, 0.25))
    assert (web.mm_per_line, web.mm_per_column) == (0.5, 0.25)
    # Extents lie on extents: the canvas' edges are the frame's edges.
    for offset, step, n, m, first in (
        (web.line_offset, web.line_step, plan.canvas[0], frame[0], first_line),
        (web.column_offset, web.column_step, plan.canvas[1], frame[1], 0),
    ):
        for r in (0, n // 2, n - 1):
            exact = first + (Fraction(r) + Fraction(1, 2)) * m / n - Fraction(1, 2)
            assert offset + r * step == pytest.approx(float(exact), abs=1e-3)


@given(frame=frames, size=st.tuples(sides, sides))
def test_letterbox_keeps_the_aspect(frame: tuple[int, int], size: tuple[int, int]) -> None:
    canvas = fit_into(frame, size)
    assert canvas[0] <= size[0]
    assert canvas[1] <= size[1]
    assert canvas[0] == size[0] or canvas[1] == size[1]
    assume(min(canvas) > 1)
    scale = min(s / f for s, f in zip(size, frame, strict=True))
    for n, m in zip(canvas, frame, strict=True):
        assert abs(n - m * scale) <= 0.5


@pytest.mark.parametrize("width", [512, 1001, 2048, 4095, 8192, 16384])
def test_letterbox_fits_a_dynamic_model_to_the_frame(width: int) -> None:
    plan = framing((1024, width), mode="letterbox").nominal
    filled = plan.canvas[0] * plan.canvas[1] / (plan.window[0] * plan.window[1])
    assert filled > 0.85
    assert plan.window[0] * plan.window[1] == pytest.approx(252 * 252, rel=0.2)
    given = framing((1024, width), mode="letterbox", size=(252, 252)).nominal
    assert given.window == (252, 252)


@settings(max_examples=100)
@given(frame=frames, tile=st.integers(64, 5000), overlap=overlaps)
def test_tiles_cover_the_lines_that_were_asked_for(
    frame: tuple[int, int], tile: int, overlap: float
) -> None:
    try:
        plan = framing(frame, mode="tile", tile=tile, tile_overlap=overlap).nominal
    except ModelError as error:
        assert f"at most {MOST_TILES}" in str(error)  # noqa: PT017 - most examples are laid out
        assume(False)
    steps = [n / m for n, m in zip(frame, plan.canvas, strict=True)]
    if min(plan.canvas) >= 50:  # else rounding to whole pixels shows
        assert steps[0] == pytest.approx(max(tile / 252, 1.0), rel=0.02)
        assert steps[1] == pytest.approx(steps[0], rel=0.02)
    assert plan.canvas[0] <= frame[0]
    assert plan.canvas[1] <= frame[1]
    many = len(plan.tops) * len(plan.lefts) > 1
    assert (plan.coarse is not None) == many
    if many:
        assert plan.coarse_window is not None
        assert plan.passes[-1] == plan.coarse_window
        assert plan.coarse == plan.coarse_window


def test_tiles_take_the_frames_shorter_side_by_themselves() -> None:
    wide = framing((2048, 16384), card((518, 518)), mode="tile").nominal
    assert wide.canvas == (518, 4144)
    assert wide.tops == (0,)
    assert len(wide.lefts) == 10
    tall = framing((4096, 512), mode="tile").nominal
    assert (tall.canvas, tall.lefts) == ((2016, 252), (0,))


def test_a_small_frame_is_neither_enlarged_nor_padded_more_than_patches_ask_for() -> None:
    plan = framing((100, 4096), mode="tile").nominal
    assert plan.canvas == (100, 4096)
    assert plan.window == (112, 252)
    static = framing((100, 4096), card(dynamic=False), mode="tile").nominal
    assert static.window == (252, 252)
    assert static.tops == (-76,)


def test_one_tile_needs_no_coarse_pass() -> None:
    plan = framing((2048, 2048), mode="tile").nominal
    assert plan.passes == ((252, 252),)
    assert plan.coarse is None


def test_a_short_frame_keeps_the_scale_of_the_others() -> None:
    made = framing((2048, 8192), mode="tile")
    short = made.plan((500, 8192))
    assert short.canvas[1] == made.nominal.canvas[1]
    assert short.canvas[0] == round(500 * 252 / 2048)
    assert short.window == made.nominal.window
    assert short.coarse_window == made.nominal.coarse_window
    assert short.coarse is not None
    assert made.nominal.coarse is not None
    assert short.coarse[1] == made.nominal.coarse[1]
    assert short.coarse[0] / made.nominal.coarse[0] == pytest.approx(500 / 2048, abs=0.01)


def test_a_model_that_resizes_itself_takes_its_own_frames_only() -> None:
    native = card(frame_size=(1024, 2048), dynamic=False)
    made = framing((1024, 2048), native)
    assert made.nominal == Plan((1024, 2048), (252, 252), (252, 252), native=True)
    assert made.nominal.image == (1024, 2048)
    with pytest.raises(ModelError, match=r"takes frames of 1024x2048 .* got 1000x2048"):
        framing((1000, 2048), native)
    with pytest.raises(ModelError, match="resizes whole frames itself"):
        framing((1024, 2048), native, mode="tile")


def test_models_for_comparisons_are_refused() -> None:
    with pytest.raises(ModelError, match="takes RGB images"):
        framing((512, 512), card(channels=3))


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("frame", [(4096, 16384), (100, 60000), (16384, 4096)])
def test_more_tiles_than_fit_are_refused_with_what_would(
    frame: tuple[int, int], dynamic: bool
) -> None:
    model = card((28, 28), dynamic=dynamic)
    with pytest.raises(ModelError, match=rf"depth.tile 64: .* at most {MOST_TILES}") as refused:
        framing(frame, model, mode="tile", tile=64)
    (lines,) = re.findall(r"depth\.tile (\d+) fits", str(refused.value))
    plan = framing(frame, model, mode="tile", tile=int(lines)).nominal
    assert MOST_TILES / 2 < len(plan.tops) * len(plan.lefts) <= MOST_TILES

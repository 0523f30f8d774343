"""Each method's threshold is what its formula says, and never inside the noise."""

import math

import numpy as np
import pytest

from linescan.config import ThresholdSection
from linescan.segmentation.robust import Floats
from linescan.segmentation.thresholds import Thresholds, choose_thresholds

PIXELS = 20_000
LIMIT = math.sqrt(2 * math.log(PIXELS))


def heights(*objects: tuple[float, int]) -> Floats:
    """Unit noise plus ``count`` pixels at each height."""
    rng = np.random.default_rng(5)
    parts = [rng.normal(0, 1, PIXELS)] + [rng.normal(at, 1, count) for at, count in objects]
    values = np.concatenate(parts)
    return values - np.median(values)


def choose(values: Floats, **section: object) -> Thresholds:
    return choose_thresholds(values, PIXELS, ThresholdSection.model_validate(section), 1e-9)


def test_mad_is_k_robust_standard_deviations() -> None:
    found = choose(heights(), method="mad", k=6)
    assert found.noise == pytest.approx(1, rel=0.02)
    assert found.raised == found.sunk == pytest.approx(6 * found.noise)


def test_mad_is_hardly_moved_by_objects() -> None:
    found = choose(heights((50, 1000), (-80, 500)), method="mad", k=6)
    assert found.raised == pytest.approx(6, rel=0.1)


def test_quantile_is_the_quantile_where_that_is_beyond_the_noise() -> None:
    values = heights((50, 2000))
    found = choose(values, method="quantile", quantile=0.95)
    assert found.raised == np.quantile(values, 0.95)
    assert found.raised is not None
    assert found.raised > 40
    assert found.sunk == pytest.approx(found.noise * LIMIT)


def test_otsu_lies_between_background_and_objects() -> None:
    found = choose(heights((30, 600), (-20, 900)), method="otsu")
    assert found.raised is not None
    assert found.sunk is not None
    assert 5 < found.raised < 27
    assert 5 < found.sunk < 17


def test_multi_otsu_separates_sunk_background_and_raised() -> None:
    found = choose(heights((30, 1500), (-30, 1500)), method="multi_otsu", classes=3)
    assert found.raised is not None
    assert found.sunk is not None
    assert 4 < found.raised < 27
    assert 4 < found.sunk < 27


def test_multi_otsu_takes_every_class_above_the_background() -> None:
    """Two heights of raised parts: the lower one is an object too."""
    found = choose(heights((30, 3000), (80, 3000)), method="multi_otsu", classes=3)
    assert found.raised is not None
    assert found.raised < 27


@pytest.mark.parametrize("method", ["quantile", "otsu", "multi_otsu"])
@pytest.mark.parametrize("spread", ["normal", "laplace", "uniform"])
def test_noise_alone_is_not_split_in_two(method: str, spread: str) -> None:
    rng = np.random.default_rng(1)
    draw = {
        "normal": rng.normal(0, 3, PIXELS),
        "laplace": rng.laplace(0, 3, PIXELS),
        "uniform": rng.uniform(-3, 3, PIXELS),
    }[spread]
    found = choose(draw - np.median(draw), method=method)
    assert found.raised == found.sunk == pytest.approx(found.noise * LIMIT)


@pytest.mark.parametrize("method", ["otsu", "multi_otsu"])
def test_a_wild_pixel_changes_nothing(method: str) -> None:
    values = heights((30, 1500), (-30, 1500))
    calm = choose(values, method=method)
    values[0] = 1e9
    wild = choose(values, method=method)
    assert calm.raised is not None
    assert wild.raised == pytest.approx(calm.raised, rel=0.02)


@pytest.mark.parametrize("method", ["mad", "quantile", "otsu", "multi_otsu"])
def test_the_floor_holds_for_every_method(method: str) -> None:
    found = choose(heights((30, 600)), method=method, floor=500)
    assert found.raised == found.sunk == 500


@pytest.mark.parametrize("method", ["mad", "quantile", "otsu", "multi_otsu"])
def test_sides(method: str) -> None:
    values = heights((30, 600), (-30, 600))
    raised, sunk = (
        choose(values, method=method, side="raised"),
        choose(values, method=method, side="sunk"),
    )
    both = choose(values, method=method)
    assert (raised.raised, raised.sunk) == (both.raised, None)
    assert (sunk.raised, sunk.sunk) == (None, both.sunk)
    assert set(raised.named(0.5)) == {"noise", "raised", "raised_low"}
    assert set(sunk.named(0.5)) == {"noise", "sunk", "sunk_low"}


def test_named_heights_are_signed() -> None:
    named = Thresholds(6.0, 4.0, 1.0).named(0.5)
    assert named == {
        "noise": 1.0,
        "raised": 6.0,
        "raised_low": 3.0,
        "sunk": -4.0,
        "sunk_low": -2.0,
    }


@pytest.mark.parametrize("method", ["mad", "quantile", "otsu", "multi_otsu"])
def test_a_perfectly_flat_frame_has_a_threshold_above_rounding(method: str) -> None:
    found = choose_thresholds(
        np.zeros(500), 500, ThresholdSection.model_validate({"method": method}), 1e-3
    )
    assert found.raised is not None
    assert found.raised > 1e-3

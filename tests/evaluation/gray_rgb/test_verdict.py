"""Words follow from figures and limits, on both sides of each limit."""

from __future__ import annotations

import pytest

from linescan.evaluation.gray_rgb.compare import Truth
from linescan.evaluation.gray_rgb.verdict import (
    CLAIMED_RATIO,
    LEAST_PICTURES,
    SMALL,
    TOLERANCE,
    Size,
    Speed,
    judge,
    summary,
)
from tests.evaluation.gray_rgb.handmade import score


@pytest.mark.parametrize(
    ("deviation", "jpeg", "size"),
    [
        (TOLERANCE, 0.001, Size.NEGLIGIBLE),
        (TOLERANCE + 1e-6, 0.001, Size.SMALL),
        (0.05, 0.05, Size.NEGLIGIBLE),
        (SMALL, 0.3, Size.NEGLIGIBLE),
        (SMALL + 1e-6, 0.3, Size.CONSIDERABLE),
        (0.3, 0.3, Size.CONSIDERABLE),
        (SMALL, 0.05, Size.SMALL),
        (SMALL + 1e-6, 0.05, Size.CONSIDERABLE),
    ],
)
def test_the_size_is_judged_by_the_tolerance_and_by_jpeg(
    deviation: float, jpeg: float, size: Size
) -> None:
    assert judge([score(deviation, jpeg=jpeg)]).size is size


def test_nine_pictures_of_ten_decide() -> None:
    good, bad = score(0.01), score(0.5)
    assert judge([good] * 9 + [bad]).size is Size.NEGLIGIBLE
    assert judge([good] * 8 + [bad] * 2).size is Size.CONSIDERABLE


def test_one_lost_sign_is_never_negligible() -> None:
    verdict = judge([score(0.001)] * 99 + [score(0.001, same_sign=False)])
    assert verdict.size is Size.CONSIDERABLE
    assert verdict.same_sign == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("ratios", "speed"),
    [
        ((CLAIMED_RATIO,) * 8, Speed.AS_CLAIMED),
        ((CLAIMED_RATIO + 1e-6,) * 8, Speed.FASTER),
        ((0.9, 0.95, 0.97, 0.99, 1.3), Speed.FASTER),
        ((0.7, 0.72, 0.74, 1.1, 1.2), Speed.EQUAL),
        ((1.1,) * 8, Speed.EQUAL),
    ],
)
def test_the_speed_is_judged_by_median_and_quartile(
    ratios: tuple[float, ...], speed: Speed
) -> None:
    assert judge([score(0.01, ratios=ratios)]).speed is speed


def test_the_ratio_of_the_engine_and_of_all_are_medians_over_all_rounds() -> None:
    verdict = judge([score(0.01, ratios=(0.5, 0.6)), score(0.01, ratios=(0.7,))])
    assert verdict.ratio == pytest.approx(0.6)
    assert verdict.engine_ratio == pytest.approx(0.6)
    assert verdict.ratio_range == pytest.approx((0.55, 0.65))


def test_few_pictures_are_an_indication() -> None:
    assert not judge([score(0.01)] * (LEAST_PICTURES - 1)).enough
    assert judge([score(0.01)] * LEAST_PICTURES).enough


def test_without_pictures_there_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="no picture"):
        judge([])


def test_the_summary_names_the_worst() -> None:
    figures = summary([score(0.1 * n, truth=Truth(0.5, 0.1 * n)) for n in range(11)])
    assert figures["gray"]["deviation"]["median"] == pytest.approx(0.5)
    assert figures["gray"]["deviation"]["worst_decile"] == pytest.approx(0.9)
    assert figures["gray"]["deviation"]["worst"] == pytest.approx(1.0)
    assert figures["gray"]["rank_correlation"]["worst"] == pytest.approx(0.99)
    assert figures["jpeg"]["deviation"]["worst"] == pytest.approx(0.01)
    assert figures["truth"] == pytest.approx({"gray": 0.5, "rgb": 0.5})
    assert figures["time_ms"]["rgb_engine"] == pytest.approx(9.0)
    assert "truth" not in summary([score(0.1)])

"""A leaning camera and cables: what is seen, moved and hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from linescan.simulation import FeatureMix, Scene, SimulatedWeb
from linescan.simulation.features import FeatureField
from linescan.simulation.viewing import Direction, lay_cables, lean

BUMPS = Scene(
    seed=3,
    width=256,
    roughness=0.0,
    waviness=0.0,
    relief=FeatureMix(bump=20.0, dent=10.0),
    relief_height=3.0,
    slope=0.4,
)


def test_a_camera_that_stands_upright_sees_the_web_as_it_is() -> None:
    web = SimulatedWeb(BUMPS)
    upright, seen = web.lines(100, 200), lean(web, 100, 200, 0.0, "along")
    for name in ("pixels", "height", "labels", "encoder"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(upright, name), err_msg=name)


@pytest.mark.parametrize("direction", ["along", "across"])
def test_what_is_raised_moves_by_its_height_times_the_tangent(direction: Direction) -> None:
    web, degrees = SimulatedWeb(BUMPS), 40.0
    upright, seen = web.lines(0, 256), lean(web, 0, 256, degrees, direction)
    height, found = upright.height / web.scene.pitch_mm, seen.height / web.scene.pitch_mm
    if direction == "across":
        height, found = height.T, found.T
    moved = height * np.tan(np.radians(degrees))
    rows, columns = np.nonzero(np.abs(height) > 0.5)
    inside = (rows > 20) & (rows < 230)
    rows, columns = rows[inside], columns[inside]
    there = np.rint(rows + moved[rows, columns]).astype(int)
    # At 40 degrees a flank of slope 0.4 hides nothing; places are whole pixels.
    off = np.abs(found[there, columns] - height[rows, columns])
    stays = np.abs(found[rows, columns] - height[rows, columns])
    assert len(off) > 1000
    assert off.max() < 0.5
    assert off.mean() < 0.3 * stays.mean(), "without the move it does not fit"


def test_of_a_steep_wall_the_higher_point_is_seen() -> None:
    scene = replace(BUMPS, relief=FeatureMix(disc=20.0), relief_height=4.0, slope=20.0)
    web = SimulatedWeb(scene)
    upright, seen = web.lines(0, 256), lean(web, 0, 256, 45.0, "along")
    top = 0.9 * upright.height.max()
    # Tops are moved whole; of the web behind them as much is hidden as of that before is shown.
    assert (seen.height > top).sum() == pytest.approx((upright.height > top).sum(), rel=0.1)
    assert not np.array_equal(seen.height > top, upright.height > top)


def test_an_angle_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 60 degrees, got 75"):
        lean(SimulatedWeb(BUMPS), 0, 64, 75.0, "along")


def test_cables_hide_the_web_and_nothing_else_changes_its_height() -> None:
    lines = SimulatedWeb(BUMPS).lines(0, 256)
    shares = []
    for cables in (0, 1, 4):
        seen = lay_cables(BUMPS, lines, cables)
        hidden = np.isnan(seen.height)
        shares.append(hidden.mean())
        np.testing.assert_array_equal(seen.height[~hidden], lines.height[~hidden])
        np.testing.assert_array_equal(seen.labels[~hidden], lines.labels[~hidden])
        assert not seen.labels[hidden].any()
        assert seen.pixels.dtype == lines.pixels.dtype
        again = lay_cables(BUMPS, lines, cables)
        np.testing.assert_array_equal(again.pixels, seen.pixels)
    assert shares[0] == 0
    assert 0.01 < shares[1] < shares[2] < 0.3


def test_parts_lie_over_each_other_only_where_asked_for() -> None:
    crowd = replace(BUMPS, relief=FeatureMix(disc=20.0, bar=20.0))

    def touching(scene: Scene) -> int:
        field = FeatureField(scene)
        parts = [each for cell in range(4) for each in field.relief(cell)]
        return sum(a.touches(b) for i, a in enumerate(parts) for b in parts[:i])

    counts = [touching(replace(crowd, stacked=share)) for share in (0.0, 0.5, 1.0)]
    assert counts[0] == 0
    assert 0 < counts[1] < counts[2]

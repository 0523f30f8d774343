"""A depth picture gives its values back within half a step, and says what they mean."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from linescan.errors import LinescanError
from linescan.pictures import decode_depth16, encode_depth16, read_depth16, write_depth16
from linescan.records import Convention, FloatArray, WebMap
from tests.pictures.maps import bump, depth_of

float32 = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=float32))
def test_round_trip_within_half_a_step(values: FloatArray) -> None:
    pixels, scale, offset = encode_depth16(values)
    back = decode_depth16(pixels, scale, offset)
    finite = np.isfinite(values)
    assert np.array_equal(np.isnan(back), ~finite)
    assert np.array_equal(pixels == 0, ~finite)
    if finite.any():
        error = np.abs(back[finite].astype(float) - values[finite].astype(float))
        rounding = np.finfo(np.float32).eps * np.abs(values[finite].astype(float)).max()
        assert error.max() <= scale / 2 * (1 + 1e-9) + rounding


def test_the_full_range_is_used() -> None:
    pixels, _, _ = encode_depth16(np.linspace(-3, 8, 1000, dtype=np.float32)[None, :])
    assert (pixels.min(), pixels.max()) == (1, 65535)


def test_one_value_alone_is_exact() -> None:
    pixels, scale, offset = encode_depth16(np.full((3, 4), 1234.5, np.float32))
    assert (decode_depth16(pixels, scale, offset) == 1234.5).all()


def test_files_give_back_the_whole_depth_map(tmp_path: Path) -> None:
    values = bump()
    valid = np.ones(84, np.bool_)
    valid[10:14] = valid[80:] = False
    web = WebMap(20481.5, 3.95, 1.475, 3.95, mm_per_line=0.05, mm_per_column=0.1)
    depth = depth_of(values, web=web, convention=Convention.DISPARITY, unit="relative", valid=valid)
    path, beside = write_depth16(
        tmp_path / "a_depth.png", depth, about={"camera": "web-1", "seq": 7, "note": None}
    )
    back, sidecar = read_depth16(path)
    assert beside == tmp_path / "a_depth.json"
    assert (back.web, back.unit, back.convention) == (web, "relative", Convention.DISPARITY)
    assert np.array_equal(back.valid, valid)
    assert np.isnan(back.values[~valid]).all()
    assert np.abs(back.values - values)[valid].max() <= sidecar["scale"] / 2 + 1e-6
    assert (sidecar["camera"], sidecar["seq"], sidecar["invalid"]) == ("web-1", 7, 0)
    assert "note" not in sidecar
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert raw is not None
    assert raw.dtype == np.uint16
    by_hand = raw[valid] * sidecar["scale"] + sidecar["offset"]
    assert np.allclose(by_hand, back.values[valid], atol=1e-6)


def test_a_map_without_any_value(tmp_path: Path) -> None:
    depth = depth_of(np.full((4, 5), np.nan, np.float32), valid=np.zeros(4, np.bool_))
    path, _ = write_depth16(tmp_path / "a.png", depth)
    assert np.isnan(read_depth16(path)[0].values).all()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda png, js: js.unlink(), "cannot read the depth picture's scale"),
        (lambda png, js: js.write_text("{"), "cannot read the depth picture's scale"),
        (lambda png, js: js.write_text("[1]"), "expected a JSON object"),
        (lambda png, js: js.write_text('{"schema": "other"}'), "schema is 'other'"),
        (lambda png, js: change(js, scale=None), "not a depth sidecar"),
        (lambda png, js: change(js, web={"line_offset": 1}), "not a depth sidecar"),
        (lambda png, js: change(js, shape=[3, 3]), "they do not belong together"),
        (lambda png, js: png.unlink(), "cannot read the depth picture"),
        (lambda png, js: png.write_bytes(b""), "expected a 16-bit gray PNG"),
        (lambda png, js: png.write_bytes(b"not a picture"), "expected a 16-bit gray PNG"),
        (
            lambda png, js: cv2.imwrite(str(png), np.zeros((84, 84), np.uint8)),
            "expected a 16-bit gray PNG",
        ),
    ],
)
def test_broken_files_get_one_sentence(tmp_path: Path, damage: object, says: str) -> None:
    png, beside = write_depth16(tmp_path / "a.png", depth_of(bump()))
    assert callable(damage)
    damage(png, beside)
    with pytest.raises(LinescanError, match=says) as caught:
        read_depth16(png)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def change(path: Path, **keys: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))

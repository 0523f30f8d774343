"""The resize of the camera frame inside the graph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.depth import read_card
from linescan.depth.export import export
from linescan.depth.export.frame import frame_resize, resize_weights
from linescan.errors import ModelError


def in_graph(frame: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    channels = 1 if frame.ndim == 2 else frame.shape[2]
    proto = frame_resize((frame.shape[0], frame.shape[1]), size, channels)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    planes = frame[None] if frame.ndim == 2 else frame.transpose(2, 0, 1)
    (image,) = session.run(None, {"frame": np.ascontiguousarray(planes[None])})
    return np.asarray(image[0, 0] if frame.ndim == 2 else image[0].transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((300, 400), (70, 98)),
        ((512, 1024), (252, 252)),
        ((280, 392), (70, 98)),
        ((71, 99), (70, 98)),
        ((70, 98), (70, 98)),
        ((300, 400, 3), (70, 98)),
    ],
)
def test_it_is_opencvs_inter_area_rounded_alike(
    shape: tuple[int, ...], size: tuple[int, int]
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)
    got = in_graph(frame, size)
    np.testing.assert_array_equal(got, np.rint(got))
    assert np.abs(got - expected).max() <= 1
    assert (got == expected).mean() > 0.995


def test_halves_may_round_the_other_way() -> None:
    """OpenCV rounds the mean of 2 x 2 half up, the graph half to even: never more than one."""
    frame = np.random.default_rng(0).integers(0, 256, (140, 196), dtype=np.uint8)
    expected = cv2.resize(frame, (98, 70), interpolation=cv2.INTER_AREA).astype(int)
    difference = expected - in_graph(frame, (70, 98))
    assert set(np.unique(difference)) == {0, 1}
    sums = frame.reshape(70, 2, 98, 2).sum((1, 3))
    assert (sums[difference != 0] % 4 == 2).all()


@given(source=st.integers(1, 200), target=st.integers(1, 200))
def test_weights_are_a_mean(source: int, target: int) -> None:
    weights = resize_weights(source, target)
    assert weights.shape == (target, source)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1.0, rtol=1e-12)
    if target <= source:
        np.testing.assert_allclose(weights.sum(0), target / source, rtol=1e-9)


def test_enlarging_is_linear() -> None:
    ramp = np.repeat(np.arange(0, 250, 10, dtype=np.uint8)[:, None], 30, 1)
    got = in_graph(ramp, (98, 42))
    expected = cv2.resize(ramp, (42, 98), interpolation=cv2.INTER_LINEAR)
    assert np.abs(got - expected).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_that_takes_frames(checkpoint: Path, tmp_path: Path, channels: int) -> None:
    whole = export(
        checkpoint,
        tmp_path / "frames.onnx",
        size=(56, 70),
        frame_size=(150, 300),
        channels=channels,
    )
    plain = export(checkpoint, tmp_path / "plain.onnx", size=(56, 70), channels=channels)
    card = read_card(whole.path)
    assert (card.frame_size, card.input_size, card.channels) == ((150, 300), (56, 70), channels)
    assert card.image_shape(card.input_size) == ((150, 300) if channels == 1 else (150, 300, 3))
    assert card.input_name == ("gray" if channels == 1 else "rgb")
    assert card.features == read_card(plain.path).features
    shape = (150, 300) if channels == 1 else (150, 300, channels)
    frame = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    image = in_graph(frame, (56, 70)).astype(np.uint8)
    outputs = []
    for path, pixels in ((whole.path, frame), (plain.path, image)):
        planes = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
        session = onnxruntime.InferenceSession(path)
        outputs.append(session.run(None, {card.input_name: np.ascontiguousarray(planes[None])})[0])
    assert outputs[0].shape == (1, 56, 70)
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=0, atol=1e-5 * np.ptp(outputs[1]))


def test_a_frame_of_the_models_size_needs_no_resize(checkpoint: Path, tmp_path: Path) -> None:
    report = export(checkpoint, tmp_path / "x.onnx", size=(28, 42), frame_size=(28, 42))
    assert report.form.frame_size is read_card(report.path).frame_size is None


def test_frames_cannot_be_dynamic(checkpoint: Path, tmp_path: Path) -> None:
    for wrong in ({"dynamic": True, "frame_size": (99, 99)}, {"frame_size": (0, 9)}):
        with pytest.raises(ModelError, match=r"cannot be dynamic|expected sides from 1"):
            export(checkpoint, tmp_path / "x.onnx", size=(28, 42), **wrong)

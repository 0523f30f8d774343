"""What holds for every backend that runs here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino
import pytest

from linescan.depth import read_card
from linescan.depth.backends.base import LoadedModel, Setup, first_line
from linescan.depth.backends.openvino import has_bf16
from linescan.depth.candidates import REFERENCE, Candidate, load
from linescan.depth.card import sha256
from linescan.errors import ModelError
from tests.depth.failing_models import SIZE, write_rgb_model
from tests.depth.onnx_files import write_model

CPU_ENGINES = (REFERENCE, Candidate("openvino", "fp32"))


def images(count: int, size: tuple[int, ...] = SIZE) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *size), dtype=np.uint8)


@pytest.fixture(params=CPU_ENGINES, ids=lambda each: each.name)
def engine(request: pytest.FixtureRequest, handmade: Path) -> LoadedModel:
    """The model that gives gray / 4."""
    return load(request.param, read_card(handmade), Setup(SIZE, 1))


def test_it_computes_the_model_and_gives_the_result_away(engine: LoadedModel) -> None:
    first, second = images(2)
    kept = engine.infer(first)
    np.testing.assert_array_equal(engine.infer(second), second / np.float32(4))
    np.testing.assert_array_equal(kept, first / np.float32(4))  # not overwritten by the next run
    assert kept.dtype == np.float32
    assert kept.flags.c_contiguous
    assert kept.flags.writeable
    assert kept.flags.owndata


def test_images_need_not_be_contiguous(engine: LoadedModel) -> None:
    wide = images(1, (28, 84))[0]
    np.testing.assert_array_equal(engine.infer(wide[:, ::2]), wide[:, ::2] / np.float32(4))


def test_wrong_images_are_refused(engine: LoadedModel) -> None:
    with pytest.raises(ModelError, match="takes 28x42 uint8 images, got 42x28 uint8"):
        engine.infer(np.zeros((42, 28), np.uint8))
    with pytest.raises(ModelError, match="got 28x42 uint16"):
        engine.infer(np.zeros((28, 42), np.uint16))


def test_closed_it_says_so(engine: LoadedModel) -> None:
    engine.close()
    engine.close()
    with pytest.raises(ModelError, match="closed"):
        engine.infer(np.zeros(SIZE, np.uint8))


def test_threads_that_share_it_get_their_own_results(engine: LoadedModel) -> None:
    given = images(64)
    with ThreadPoolExecutor(4) as pool:
        for image, output in zip(given, pool.map(engine.infer, given), strict=True):
            np.testing.assert_array_equal(output, image / np.float32(4))


@pytest.mark.parametrize("candidate", CPU_ENGINES, ids=lambda each: each.name)
def test_values_that_are_not_finite_are_refused(tmp_path: Path, candidate: Candidate) -> None:
    card = read_card(write_model(tmp_path / "broken.onnx", divide_by=0.0))
    engine = load(candidate, card, Setup(SIZE, 1))
    with pytest.raises(ModelError, match=f"{candidate.name}: model 'handmade' gave .*not finite"):
        engine.infer(images(1)[0])


@pytest.mark.parametrize("candidate", CPU_ENGINES, ids=lambda each: each.name)
def test_colour_frames_that_the_model_resizes_itself(tmp_path: Path, candidate: Candidate) -> None:
    card = read_card(write_rgb_model(tmp_path / "rgb.onnx"))
    engine = load(candidate, card, Setup(card.input_size, 1))
    assert engine.image_shape == (56, 84, 3)
    assert engine.size == SIZE
    (image,) = images(1, engine.image_shape)
    expected = image[::2, ::2].astype(np.float32) @ np.array([1, 2, 3], np.float32)
    np.testing.assert_allclose(engine.infer(image), expected, rtol=1e-6)
    with pytest.raises(ModelError, match="takes 56x84x3 uint8 images, got 56x84 uint8"):
        engine.infer(image[..., 0])


@pytest.mark.parametrize("candidate", CPU_ENGINES, ids=lambda each: each.name)
@pytest.mark.parametrize("content", [b"", b"not a model", None], ids=["empty", "text", "truncated"])
def test_a_file_that_is_no_model_any_more(
    handmade: Path, candidate: Candidate, content: bytes | None
) -> None:
    """The card was read, then the file was damaged."""
    card = read_card(handmade)
    whole = handmade.read_bytes()
    handmade.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ModelError, match=r"handmade\.onnx: the file was changed since it was read"):
        load(candidate, card, Setup(SIZE, 1))
    damaged = replace(card, sha256=sha256(handmade))
    with pytest.raises(ModelError, match=r"handmade\.onnx: .* cannot load it: ") as error:
        load(candidate, damaged, Setup(SIZE, 1))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("candidate", CPU_ENGINES, ids=lambda each: each.name)
def test_another_model_in_the_place_of_the_file_is_not_loaded(
    handmade: Path, tmp_path: Path, candidate: Candidate
) -> None:
    card = read_card(handmade)
    handmade.touch()  # the same content at another time is the same model
    load(candidate, card, Setup(SIZE, 1)).close()
    write_model(tmp_path / "other.onnx", divide_by=5.0).replace(handmade)
    with pytest.raises(ModelError, match="changed since it was read: restart with the new one"):
        load(candidate, card, Setup(SIZE, 1))
    handmade.unlink()
    with pytest.raises(ModelError, match=r"handmade\.onnx: the model's file cannot be read"):
        load(candidate, card, Setup(SIZE, 1))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n  first\nsecond", "first"),
        ("", "RuntimeError"),
        ("Exception from src/inference/core.cpp:1:\nbad thing", "bad thing"),
        ("FAIL: std::bad_alloc\nmore", "out of memory (FAIL: std::bad_alloc)"),
        (
            "a.cc:1 void f() [T = int] CUDA failure 2: out of memory ; GPU=0 ; file=/b.cc",
            "out of memory (CUDA failure 2: out of memory)",
        ),
    ],
)
def test_errors_of_native_code_in_one_line(text: str, line: str) -> None:
    assert first_line(RuntimeError(text)) == line
    assert first_line(MemoryError()) == "out of memory (MemoryError)"


def test_bf16_is_refused_where_the_cpu_has_none(handmade: Path) -> None:
    card = read_card(handmade)
    wanted = Candidate("openvino", "bf16")
    if has_bf16(openvino.Core()):
        assert load(wanted, card, Setup(SIZE, 1)).name == "openvino-bf16"
        return
    with pytest.raises(ModelError, match="no bf16"):
        load(wanted, card, Setup(SIZE, 1))

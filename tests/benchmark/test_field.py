"""Who takes part, under which name, with which deviation; who does not, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.benchmark.baselines import OnnxRuntimeBaseline, TransformersBaseline
from linescan.benchmark.contender import Contender, EngineContender, GrayFrame
from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.field import Field, deviations, entries, open_field
from linescan.benchmark.subject import Subject
from linescan.depth import open_engine, read_card
from linescan.depth.gate import agreement
from linescan.depth.probe import probe_image
from linescan.records import FloatArray
from tests.depth.checkpoints import save_checkpoint
from tests.depth.onnx_files import write_model

SIZE = (28, 42)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A model that gives gray / 4, without a checkpoint."""
    return Subject(read_card(write_model(tmp_path / "handmade.onnx")), SIZE, None, True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A small random network with its checkpoint, exported."""
    from linescan.depth.export import export

    folder = tmp_path_factory.mktemp("whole")
    checkpoint = save_checkpoint(folder / "checkpoint")
    card = read_card(export(checkpoint, folder / "model.onnx", size=(70, 70)).path)
    return Subject(card, (70, 70), checkpoint, True)


def test_names_choose_engines_and_whole_backends(subject: Subject) -> None:
    everything = [e.name for e in entries(subject, [])]
    assert "cpu-fp32" in everything
    assert [e.name for e in entries(subject, ["cpu", "cpu-fp32"])] == ["cpu-fp32"]
    openvino = [e.name for e in entries(subject, ["openvino"])]
    assert openvino == [name for name in everything if name.startswith("openvino-")]
    assert len(openvino) > 1


def test_an_unknown_name_is_refused_with_those_that_are_known(subject: Subject) -> None:
    with pytest.raises(BenchmarkError, match=r"--backend vulkan: expected .*cuda.*cpu-fp32"):
        entries(subject, ["cpu", "vulkan"])


def test_what_does_not_load_is_listed_with_its_reason(subject: Subject, tmp_path: Path) -> None:
    found = open_field(subject, entries(subject, []), tmp_path, threads=1)
    try:
        names = [c.name for c in found.all()]
        assert "cpu-fp32" in names
        assert "onnxruntime-fp32" in names
        assert "checkpoint of 'handmade' is not here" in found.not_loaded["transformers"]
        everything = {e.name for e in entries(subject, [])} | {"transformers", "onnxruntime-fp32"}
        assert {*names, *found.not_loaded} == everything
        assert all(found.not_loaded.values())
        reference = next(c for c in found.engines if c.name == "cpu-fp32")
        assert reference is found.reference
    finally:
        found.close()


def test_deviation_compares_arithmetic_on_the_same_image(whole: Subject, tmp_path: Path) -> None:
    frames = [probe_image(210, 140), probe_image(210, 140)[::-1].copy()]
    found = open_field(whole, entries(whole, ["cpu", "openvino-fp32"]), tmp_path, threads=1)
    try:
        measured = deviations(found, frames)
        assert found.not_loaded == {}
        assert set(measured) == {"cpu-fp32", "openvino-fp32", "transformers", "onnxruntime-fp32"}
        assert measured["cpu-fp32"] == 0.0
        for value in measured.values():
            assert value is not None
            assert value < 1e-3
    finally:
        found.close()


def test_all_contenders_make_the_same_depth_of_a_frame(whole: Subject, tmp_path: Path) -> None:
    """End to end they differ by how they resize, no more."""
    frame = probe_image(280, 280)
    found = open_field(whole, entries(whole, ["cpu"]), tmp_path, threads=1)
    try:
        ours = found.reference.run(frame)
        assert ours.shape == (70, 70)
        assert ours.dtype == np.float32
        for contender in found.baselines:
            depth = contender.run(frame)
            assert depth.dtype == np.float32
            assert contender.model_ns > 0
            if isinstance(contender, TransformersBaseline):
                assert depth.shape == frame.shape
                depth = depth[2::4, 2::4]
            assert agreement(depth, ours).deviation < 0.6
    finally:
        found.close()


@pytest.mark.parametrize("frame", [(140, 280), (280, 140)], ids=str)
def test_the_transformers_baseline_has_our_number_of_tokens(
    frame: tuple[int, int], whole: Subject, tmp_path: Path
) -> None:
    """Whatever the frame's aspect: the model gets exactly the model's size."""
    shapes = []
    baseline = TransformersBaseline(whole, tmp_path, threads=1)
    try:
        baseline._pipeline.model.register_forward_pre_hook(
            lambda _model, _args, given: shapes.append(tuple(given["pixel_values"].shape)),
            with_kwargs=True,
        )
        assert baseline.run(probe_image(*frame)).shape == frame
        assert shapes == [(1, 3, 70, 70)]
        with pytest.raises(BenchmarkError, match=r"made \(1, 3, 70, 140\), not \(1, 3, 70, 70\)"):
            baseline.depth_of(probe_image(70, 140))
    finally:
        baseline.close()


def test_an_unknown_deviation_is_none(subject: Subject, tmp_path: Path) -> None:
    flat = [np.full((60, 60), 9, np.uint8)]
    found = open_field(subject, entries(subject, ["cpu"]), tmp_path, threads=1)
    try:
        assert deviations(found, flat) == {"cpu-fp32": None, "onnxruntime-fp32": None}
    finally:
        found.close()


class Faulty(Contender):
    """A library that raises what it likes."""

    precision = "fp32"
    device = contains = "here"
    closed = False

    def run(self, frame: GrayFrame) -> FloatArray:
        return self.depth_of(frame)

    def depth_of(self, image: GrayFrame) -> FloatArray:
        raise RuntimeError("the driver is gone\nand more")

    def close(self) -> None:
        self.closed = True


def test_one_that_raises_anything_is_listed_and_the_others_are_compared(
    subject: Subject, tmp_path: Path
) -> None:
    found = open_field(subject, entries(subject, ["cpu"]), tmp_path, threads=1)
    faulty = Faulty("faulty")
    found.baselines.insert(0, faulty)
    try:
        measured = deviations(found, [probe_image(60, 60)])
        assert set(measured) == {"cpu-fp32", "onnxruntime-fp32"}
        reason = found.not_loaded["faulty"]
        assert reason == "its depth could not be compared: the driver is gone"
        assert faulty not in found.all()
        assert faulty.closed
    finally:
        found.close()


def test_one_that_cannot_be_opened_for_any_reason_is_listed(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("linescan.benchmark.field.OnnxRuntimeBaseline", fail)
    found = open_field(subject, entries(subject, ["cpu"]), tmp_path, threads=1)
    found.close()
    assert "memory" in found.not_loaded["onnxruntime-fp32"]
    assert [c.name for c in found.all()] == ["cpu-fp32"]


@pytest.mark.parametrize(("threads", "said"), [(None, "default"), (1, "1")])
def test_threads_reach_the_onnxruntime_baseline_where_given(
    threads: int | None, said: str, subject: Subject, tmp_path: Path
) -> None:
    baseline = OnnxRuntimeBaseline(subject, tmp_path, threads)
    given = baseline._session.get_session_options().intra_op_num_threads
    assert given == (threads or 0)  # 0 is the library's default
    assert baseline.device == f"CPU, {said} threads"
    baseline.close()


def test_the_embedded_model_has_both_baselines(tmp_path: Path) -> None:
    """Its checkpoint is not part of the installation: the same architecture stands in."""
    card = read_card("surface-tiny")
    subject = Subject(card, (56, 56), None, True)
    baseline = TransformersBaseline(subject, tmp_path, threads=1)
    try:
        assert not baseline.has_weights
        assert "random weights" in baseline.contains
        assert baseline.run(probe_image(100, 100)).shape == (100, 100)
        reference = EngineContender(open_engine(card, "cpu", "fp32", subject.size, 1))
        field = Field(reference, baselines=[baseline])
        assert deviations(field, [probe_image(56, 56)]) == {"transformers": None}
        reference.close()
    finally:
        baseline.close()
    gray = OnnxRuntimeBaseline(subject, tmp_path)
    assert "our gray export" in gray.contains
    assert gray.run(probe_image(100, 100)).shape == (56, 56)
    gray.close()

"""Models judged on data sets: real engines, real segmentation, known answers."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linescan.config import Config, SimulatedSource, parse
from linescan.errors import LinescanError, ModelError
from linescan.evaluation.datasets import HeightUnit, PairFolder, SimulatedFrames, TrueFrame, Wanted
from linescan.evaluation.datasets.base import every
from linescan.evaluation.judging.catalogue import FIGURES, Absent
from linescan.evaluation.judging.run import Question, judge
from linescan.evaluation.judging.verdict import Verdict
from linescan.evaluation.report import to_document
from linescan.records import Frame, WebMap
from tests.depth.checkpoints import save_checkpoint
from tests.depth.onnx_files import METADATA, write_model
from tests.evaluation.pairs import write_pairs


def config(*settings: str) -> Config:
    fixed = ["depth.backend=cpu", "depth.precision=fp32", "depth.size=[56, 56]"]
    return parse("", "test", [*fixed, *settings], source=SimulatedSource())


def judged(
    data_set: PairFolder | SimulatedFrames, *models: str, mode: str = "scale-shift", **other: object
) -> list[Verdict]:
    question = Question(models, config(), mode, **other)  # type: ignore[arg-type]
    return judge(data_set, question, lambda _done, _total: None)


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Takes brightness for height: right for the pairs, wrong for shaded relief."""
    return str(write_model(tmp_path / "brightness.onnx"))


@pytest.mark.parametrize("mode", ["scale-shift", "calibrated"])
def test_a_perfect_model_is_perfect(tmp_path: Path, model: str, mode: str) -> None:
    data_set = PairFolder(write_pairs(tmp_path / "pairs", 6))
    (verdict,) = judged(data_set, model, mode=mode)
    assert len(verdict.frames) == (6 if mode == "scale-shift" else 4)
    for key, perfect in {
        "rmse_over_sigma": 0.0,
        "rmse": 0.0,
        "abs_rel": 0.0,
        "delta1": 1.0,
        "boundary_f1": 1.0,
        "normals": 0.0,
        "relative_normals": 0.0,
        "right_sign": 1.0,
    }.items():
        assert verdict.value(key) == pytest.approx(perfect, abs=1e-4), key
    # The model gives gray / 4 * 2 - 1.5, the truth is gray * 0.05 µm.
    assert verdict.value("scale") == pytest.approx(0.1, rel=1e-3)


def test_a_model_that_is_upside_down_is_found_out(tmp_path: Path) -> None:
    turned = write_model(tmp_path / "turned.onnx", metadata={**METADATA, "convention": "depth"})
    (verdict,) = judged(PairFolder(write_pairs(tmp_path / "pairs", 2)), str(turned))
    assert verdict.value("right_sign") == 0.0
    assert verdict.value("rmse_over_sigma") == pytest.approx(0.0, abs=1e-4)


def test_relative_depth_without_alignment_is_judged_by_what_needs_no_unit(model: str) -> None:
    data_set = SimulatedFrames("simulated:continuous@64")
    (verdict,) = judged(data_set, model, mode="none", frames=4)
    for key in (
        "rmse",
        "rmse_over_sigma",
        "delta1",
        "normals",
        "mask_iou_3sigma",
        "drift",
        "belt_noise",
    ):
        value = verdict.value(key)
        assert isinstance(value, Absent), key
        assert "unit" in value.reason
    for key in ("seam_step", "seam_step_truth", "mask_iou", "object_recall", "flicker"):
        assert not isinstance(verdict.value(key), Absent), key


def test_baselines_are_judged_beside_models_on_the_same_frames() -> None:
    data_set = SimulatedFrames("simulated:validation@112")
    flat, blur = judged(data_set, "baseline:flat", "baseline:blur", frames=2)
    assert flat.value("rmse_over_sigma") == pytest.approx(1.0)
    assert flat.value("mask_iou") == 0.0
    assert flat.value("object_recall") == 0.0
    assert isinstance(flat.value("object_precision"), Absent)
    value = blur.value("rmse_over_sigma")
    assert not isinstance(value, Absent)
    assert 0.5 < value <= 1.0
    assert blur.model.name.startswith("baseline:blur (")
    assert [f.name for f in flat.frames] == [f.name for f in blur.frames]


def test_false_alarms_are_counted_where_there_are_no_objects(model: str) -> None:
    (verdict,) = judged(SimulatedFrames("simulated:print@112"), model, mode="none", frames=3)
    alarms = verdict.value("false_alarms")
    assert not isinstance(alarms, Absent)
    assert alarms > 0  # it takes print for relief
    assert alarms == pytest.approx(verdict.tally.all.found / (3 * 112) * 1000)
    recall = verdict.value("object_recall")
    assert isinstance(recall, Absent)
    assert recall.reason == "the data set has no objects"


def test_a_checkpoint_is_judged_in_pixels_of_its_own(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "random")
    data_set = SimulatedFrames("simulated:validation@112")
    (verdict,) = judged(data_set, str(folder), mode="none", frames=1)
    assert verdict.model.unit == "px"
    plain = verdict.value("rmse")
    assert not isinstance(plain, Absent)
    said = {"convention": "depth", "unit": "um", "scale": -2.0, "shift": 5.0, "noise_floor": 0.5}
    (folder / "linescan.json").write_text(json.dumps(said), encoding="utf-8")
    (other,) = judged(data_set, str(folder), mode="none", frames=1)
    assert (other.model.unit, other.model.convention) == ("um", "depth")
    assert other.model.noise_floor == 0.5
    assert other.value("rmse") != pytest.approx(plain)


def test_a_folder_without_weights_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "depth_anything"}', encoding="utf-8")
    with pytest.raises(ModelError, match="the checkpoint cannot be loaded"):
        judged(SimulatedFrames("simulated:validation@112"), str(tmp_path), frames=1)


class Oracle:
    """A web whose frames count how many of them are alive."""

    name, about, continuous, pictures = "oracle", "by hand", True, False
    unit: HeightUnit = "mm"
    count, overlap = 12, 0

    def __init__(self) -> None:
        self.alive = self.most = 0

    def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
        rng = np.random.default_rng(0)
        for number in filter(wanted, range(self.count)):
            pixels = rng.integers(0, 255, (56, 56)).astype(np.uint8)
            height = pixels.astype(np.float32)
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(height, self._gone)
            frame = Frame(pixels, number * 56, np.ones(56, np.bool_), 0, 0)
            web = WebMap(number * 56.0, 1.0, 0.0, 1.0, 1.0, 1.0)
            yield number, TrueFrame(str(number), 0, frame, 8, height, web, pitch_mm=(1.0, 1.0))
            del frame, height, pixels

    def _gone(self) -> None:
        self.alive -= 1


def test_frames_are_not_kept(model: str) -> None:
    data_set = Oracle()
    question = Question((model, "baseline:blur"), config(), "calibrated", pictures=True)
    seen: list[tuple[int, int]] = []
    judge(data_set, question, lambda done, total: seen.append((done, total)))
    assert data_set.most <= 2
    assert seen[-1] == (24, 24)  # twelve to choose the blur, three to fit on, nine to judge
    assert [done for done, _ in seen] == list(range(1, 25))


def test_rows_and_frames_without_truth_are_left_out(model: str) -> None:
    class Holes(Oracle):
        def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
            for number, frame in super().frames(wanted):
                height = frame.height.copy()
                height[: 56 if number % 2 else 28] = np.nan
                yield number, replace(frame, height=height)

    (verdict,) = judge(Holes(), Question((model,), config(), "scale-shift"), lambda *_: None)
    assert len(verdict.frames) == 6
    assert verdict.value("rmse") == pytest.approx(0.0, abs=1e-3)


def test_an_interrupt_ends_with_what_was_judged(model: str) -> None:
    class Interrupted(Oracle):
        def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
            for number, frame in super().frames(wanted):
                if number == self.stop:
                    raise KeyboardInterrupt
                yield number, frame

        stop = 3

    data_set = Interrupted()
    question = Question((model,), config(), "scale-shift")
    (verdict,) = judge(data_set, question, lambda *_: None)
    assert len(verdict.frames) == 3
    assert not verdict.complete
    assert not to_document([verdict])["complete"]
    data_set.stop = 0
    with pytest.raises(KeyboardInterrupt):
        judge(data_set, question, lambda *_: None)


def test_nothing_left_to_judge_is_refused(tmp_path: Path, model: str) -> None:
    data_set = PairFolder(write_pairs(tmp_path / "pairs", 1))
    with pytest.raises(LinescanError, match="all fitted on: none is left to judge"):
        judged(data_set, model, mode="calibrated")
    with pytest.raises(LinescanError, match="expected baseline:flat, baseline:blur"):
        judged(data_set, "baseline:magic")


def test_every_figure_is_in_the_document_or_absent_for_a_reason(tmp_path: Path, model: str) -> None:
    data_set = PairFolder(write_pairs(tmp_path / "pairs", 2, pitch_um=None))
    verdicts = judged(data_set, model, "baseline:flat")
    document = json.loads(json.dumps(to_document(verdicts), allow_nan=False))
    assert (document["format"], document["version"]) == ("linescan-evaluation", 1)
    mine, flat = document["results"]
    for result in (mine, flat):
        assert set(result["figures"]) == {figure.key for figure in FIGURES}
        missing = {key for key, value in result["figures"].items() if value is None}
        assert missing == set(result["absent"])
        assert all(result["absent"].values())
    assert "normals" in mine["absent"]
    assert mine["over_best_baseline"] == pytest.approx(0.0, abs=1e-4)
    assert flat["over_best_baseline"] is None
    assert mine["alignment"]["mode"] == "scale-shift"
    assert mine["spread"]["rmse_over_sigma"]["frames"] == 2

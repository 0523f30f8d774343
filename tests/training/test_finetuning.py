"""Fine-tuning as such: it resumes, learns, keeps the best, and holds what it must hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from linescan.training.data import simulated_frame
from linescan.training.figures import judge
from linescan.training.finetune_plan import FineTunePlan
from linescan.training.finetuning import FineTuner, raw_output
from linescan.training.pairs import PairsError, Sample
from linescan.training.starts import Start, open_start
from tests.depth.checkpoints import save_checkpoint

PLAN = FineTunePlan("tiny", steps=4, batch=2, size=56, rank=2, validate_every=2, head_rate=1e-3)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return open_start(str(save_checkpoint(tmp_path / "start")))


def samples(first: int, count: int, *, share: float = 1.0) -> list[Sample]:
    found = []
    for seed in range(first, first + count):
        frame = simulated_frame(seed, 84)
        height = 10 * frame.height
        height[np.random.default_rng(seed).random(height.shape) > share] = np.nan
        flat = np.zeros(height.shape, dtype=bool)
        flat[:40, :40] = True
        found.append(Sample(f"s{seed}", frame.image, height, flat))
    return found


def state(tuner: FineTuner) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in tuner.model.state_dict().items()}


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "start")
    learned, held = samples(0, 2), samples(2, 1)

    def tuner(out: str) -> FineTuner:
        return FineTuner(PLAN, tmp_path / out, open_start(str(folder)), learned, held)

    whole = tuner("whole")
    whole.run()
    steps = iter((False, True))
    tuner("parts").run(stopped=lambda: next(steps))
    resumed = tuner("parts")
    assert resumed.progress.step == 2
    resumed.run()
    assert resumed.progress.step == 4
    for name, value in state(whole).items():
        torch.testing.assert_close(value, state(resumed)[name], msg=name)
    with pytest.raises(ValueError, match="differs in data"):
        FineTuner(PLAN, tmp_path / "parts", open_start(str(folder)), learned[:1], held)


@pytest.mark.parametrize("mode", ["frozen", "lora", "full"])
def test_what_is_trained(mode: str, start: Start, tmp_path: Path) -> None:
    before = {k: v.clone() for k, v in start.model.state_dict().items()}
    plan = replace(PLAN, mode=mode, steps=3)  # type: ignore[arg-type]
    tuner = FineTuner(plan, tmp_path / "run", start, samples(0, 2), samples(2, 1))
    tuner.run()
    model = tuner.finish()
    after = model.state_dict()
    assert before.keys() == after.keys(), "no trace of low-rank layers in the finished model"
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("head.") for name in changed)
    encoder = {name for name in changed if name.startswith("backbone.")}
    if mode == "frozen":
        assert not encoder
    elif mode == "lora":
        assert encoder
        assert all(name.endswith(".weight") and ".layer." in name for name in encoder)
    else:
        assert "backbone.embeddings.patch_embeddings.projection.weight" in encoder


@pytest.mark.parametrize("target", ["relative", "metric"])
@pytest.mark.parametrize("share", [1.0, 0.05])
def test_it_learns_from_maps_and_from_a_few_points(
    target: str, share: float, start: Start, tmp_path: Path
) -> None:
    """What it learns from it knows better afterwards: the steps go down the right hill."""
    one = samples(0, 1, share=share)
    known = np.isfinite(one[0].height)
    # A truth that a small random encoder can learn within seconds.
    one[0].height[known] = 0.1 * cv2.GaussianBlur(one[0].image, (0, 0), 3)[known]
    plan = replace(
        PLAN, target=target, mode="full", steps=30, relight=False,  # type: ignore[arg-type]
        encoder_rate=1e-3, head_rate=3e-3, validate_every=10, size=84, batch=1,
    )  # fmt: skip
    tuner = FineTuner(plan, tmp_path / "run", start, one, one)
    before = tuner.figure(tuner.reference, one[0])
    tuner.run()
    after = tuner.figure(tuner.finish(), one[0])
    assert after < 0.97 * before


def test_metric_units_start_where_the_truth_is(start: Start, tmp_path: Path) -> None:
    learned = samples(0, 3)
    plan = replace(PLAN, target="metric")
    tuner = FineTuner(plan, tmp_path / "run", start, learned, samples(3, 1))
    output = np.concatenate([tuner.output(tuner.reference, s.image).ravel() for s in learned])
    truth = np.concatenate([s.height.ravel() for s in learned])
    assert output.mean() == pytest.approx(truth.mean(), abs=0.1 * float(truth.std()))
    assert (truth.min() - tuner.shift) / tuner.scale > 0, (
        "the last ReLU can reach the lowest height"
    )


def test_without_truth_it_gets_steadier_and_does_not_collapse(start: Start, tmp_path: Path) -> None:
    learned, held = samples(0, 3), samples(3, 1)
    for each in (*learned, *held):
        each.height[:] = np.nan
    plan = replace(PLAN, target="none", mode="full", steps=24, validate_every=8, head_rate=2e-3)
    tuner = FineTuner(plan, tmp_path / "run", start, learned, held)
    before = judge(tuner, tuner.reference, held)
    tuner.run()
    model = tuner.finish()
    after = judge(tuner, model, held)
    assert before.ratio is None
    assert before.flat is not None
    assert after.flat is not None
    assert after.light + after.flat < before.light + before.flat
    assert before.kept == pytest.approx(1)
    assert after.kept is not None
    assert 0.1 < after.kept < 1.2
    spread = tuner.output(model, held[0].image).std()
    assert spread > 0.3 * tuner.output(tuner.reference, held[0].image).std()


def test_it_ends_early_with_the_best(start: Start, tmp_path: Path) -> None:
    plan = replace(PLAN, steps=40, validate_every=1, patience=2)
    tuner = FineTuner(plan, tmp_path / "run", start, samples(0, 2), samples(2, 1))
    figures = iter((0.5, 0.4, 0.45, 0.41, 0.1))
    kept: list[dict[str, torch.Tensor]] = []

    def validate() -> float:
        kept.append(state(tuner))
        return next(figures)

    tuner.validate = validate  # type: ignore[method-assign]
    tuner.run()
    assert tuner.progress.step == 4
    best = torch.load(tuner.best, weights_only=True)
    assert all(torch.equal(best[name], value) for name, value in kept[1].items())


def test_depth_counts_downwards_and_relief_inside_out_is_worse_than_none(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "start")
    (one,) = samples(0, 1)
    figures = []
    for convention in ("height", "depth"):
        (folder / "linescan.json").write_text(f'{{"convention": "{convention}"}}')
        start = open_start(str(folder))
        tuner = FineTuner(PLAN, tmp_path / convention, start, [one], [one])
        figures.append(tuner.figure(tuner.reference, one))
    assert sum(figures) == pytest.approx(2)
    assert min(figures) < 1 < max(figures)


def test_output_covers_every_pixel_and_equals_a_single_crop(start: Start, tmp_path: Path) -> None:
    tuner = FineTuner(PLAN, tmp_path / "run", start, samples(0, 2), samples(2, 1))
    image = simulated_frame(9, 140).image[:75, :131]
    found = tuner.output(tuner.reference, image)
    assert found.shape == image.shape
    assert np.isfinite(found).all()
    with torch.no_grad():
        raw = raw_output(tuner.reference, torch.from_numpy(image[:56, :56].copy())[None, None])
    np.testing.assert_allclose(found[:19, :56], raw[0, :19].numpy(), rtol=1e-4)


def test_samples_without_height_are_refused(start: Start, tmp_path: Path) -> None:
    learned = samples(0, 1)
    learned[0].height[:] = np.nan
    with pytest.raises(PairsError, match="only 0 points"):
        FineTuner(PLAN, tmp_path / "run", start, learned, samples(2, 1))


def test_without_truth_the_noise_floor_is_not_below_that_of_the_start(tmp_path: Path) -> None:
    """Most of a web is bare: there the output hardly changes with the light."""
    folder = save_checkpoint(tmp_path / "start")
    (folder / "linescan.json").write_text('{"convention": "height", "noise_floor": 1e5}')
    plan = replace(PLAN, target="none")
    tuner = FineTuner(plan, tmp_path / "run", open_start(str(folder)), samples(0, 2), samples(2, 1))
    assert tuner.noise_floor() == pytest.approx(1e5)


def test_without_truth_something_must_hold_the_relief(start: Start, tmp_path: Path) -> None:
    learned = samples(0, 2)
    for each in learned:
        each.flat[:] = True
    with pytest.raises(PairsError, match="100% of what is learned from is marked as flat"):
        FineTuner(replace(PLAN, target="none"), tmp_path / "run", start, learned, samples(2, 1))


def test_a_loss_that_is_no_number_ends_the_run(start: Start, tmp_path: Path) -> None:
    plan = replace(PLAN, head_rate=1e30, steps=40, validate_every=100)
    tuner = FineTuner(plan, tmp_path / "run", start, samples(0, 2), samples(2, 1))
    with pytest.raises(ValueError, match="the loss is no number any more after step"):
        tuner.run()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_a_damaged_checkpoint_is_said(content: bytes, start: Start, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt: damaged, or no checkpoint"):
        FineTuner(PLAN, tmp_path, start, samples(0, 2), samples(2, 1))


def test_a_checkpoint_of_something_else_is_said(start: Start, tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="damaged, or no checkpoint"):
        FineTuner(PLAN, tmp_path, start, samples(0, 2), samples(2, 1))

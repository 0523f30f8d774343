"""Data, losses and the loop: a real run on a tiny encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from linescan.simulation import (
    CONTINUOUS_SEEDS,
    HELD_OUT_SEEDS,
    PRINT_SEEDS,
    TRAINING_SEEDS,
    FeatureMix,
    Scene,
    SimulatedWeb,
    print_scene,
    sample_scene,
)
from linescan.training import data as training_data
from linescan.training.data import (
    VIEWS,
    TrainingBatches,
    View,
    reduce_lines,
    simulated_frame,
    to_8_bit,
    training_frame,
)
from linescan.training.loop import Trainer, TrainingPlan
from linescan.training.losses import (
    absolute_loss,
    gradient_loss,
    height_loss,
    root_mean_square_loss,
)
from linescan.training.model import (
    HEIGHT_OFFSET,
    build_config,
    load_model,
    normalise,
    parameter_count,
    predict_height,
)
from linescan.training.resumable import Progress, cycle


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny, random encoder."""
    folder = tmp_path_factory.mktemp("weights") / "dinov2-tiny"
    torch.manual_seed(3)
    config = Dinov2Config(
        hidden_size=48, num_hidden_layers=5, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture
def plan(encoder: Path) -> TrainingPlan:
    return TrainingPlan(
        encoder=encoder, steps=2, batch=2, size=70, layers=4, workers=0, validation_frames=2
    )


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in trainer.model.state_dict().items()}


def test_training_moves_encoder_and_head_and_leaves_a_checkpoint(
    plan: TrainingPlan, tmp_path: Path
) -> None:
    trainer = Trainer(plan, tmp_path)
    before = weights(trainer)
    seen: list[int] = []
    progress = trainer.run(lambda p: seen.append(p.step))
    assert seen == [1, 2]
    assert np.isfinite(progress.loss)
    assert [step for step, _ in progress.validations] == [2]
    moved = {k for k, v in trainer.model.state_dict().items() if not torch.equal(v, before[k])}
    assert any(k.startswith("backbone.encoder.layer.0") for k in moved)
    assert "head.conv3.weight" in moved
    assert trainer.checkpoint.is_file()


def test_a_stopped_run_goes_on_to_the_same_weights(plan: TrainingPlan, tmp_path: Path) -> None:
    plan = replace(plan, steps=3)
    unbroken = Trainer(plan, tmp_path / "a")
    unbroken.run()
    stopped = Trainer(plan, tmp_path / "b")
    assert stopped.run(stopped=lambda: True).step == 1
    resumed = Trainer(plan, tmp_path / "b")
    assert resumed.progress.step == 1
    assert resumed.run().step == 3
    for name, value in unbroken.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert resumed.progress.loss == pytest.approx(unbroken.progress.loss)


def test_the_learning_rate_rises_once_and_falls_to_nothing() -> None:
    rates = [cycle(k / 100, 0.05) for k in range(101)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0, abs=0.02)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)


def test_a_plan_of_minutes_ends_by_its_time(plan: TrainingPlan, tmp_path: Path) -> None:
    plan = replace(plan, steps=10_000, minutes=1e-4)
    progress = Trainer(plan, tmp_path).run()
    assert progress.step < 10_000
    assert progress.seconds >= 60 * 1e-4
    assert [step for step, _ in progress.validations] == [progress.step], "judged at its end"
    again = Trainer(plan, tmp_path)
    assert again.finished


def test_a_run_goes_on_from_a_trained_model(plan: TrainingPlan, tmp_path: Path) -> None:
    first = Trainer(plan, tmp_path / "a")
    first.run()
    first.save_final(tmp_path / "final", "train")
    plan = replace(plan, encoder=None, start=str(tmp_path / "final"))
    second = Trainer(plan, tmp_path / "b")
    assert second.progress.step == 0
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    with pytest.raises(ValueError, match="has 4 encoder layers, wanted 5"):
        Trainer(replace(plan, layers=5), tmp_path / "c")
    with pytest.raises(ValueError, match="neither an encoder nor a model"):
        Trainer(replace(plan, start=None), tmp_path / "d")


def test_a_checkpoint_of_another_plan_is_refused(plan: TrainingPlan, tmp_path: Path) -> None:
    Trainer(plan, tmp_path).run()
    with pytest.raises(ValueError, match="differs in batch"):
        Trainer(replace(plan, batch=3), tmp_path)


def test_training_learns(plan: TrainingPlan, tmp_path: Path) -> None:
    trainer = Trainer(
        replace(plan, steps=40, head_rate=1e-2, encoder_rate=1e-3, bfloat16=False), tmp_path
    )
    ramp = torch.linspace(0, 255, 70).repeat(2, 1, 70, 1)
    images, heights = ramp.to(torch.uint8), (ramp[:, 0] - 128) / 64
    losses = []
    for _ in range(40):
        losses.append(trainer._step(images, heights))
        trainer.progress.step += 1
    assert losses[-1] < 0.5 * losses[0]


def test_final_model_says_what_its_output_means(plan: TrainingPlan, tmp_path: Path) -> None:
    trainer = Trainer(plan, tmp_path)
    trainer.run()
    trainer.save_final(tmp_path / "final", "train --seed 0")
    meaning = json.loads((tmp_path / "final" / "linescan.json").read_text())
    assert meaning["convention"] == "height"
    assert meaning["training"]["command"] == "train --seed 0"
    assert meaning["training"]["steps_done"] == 2
    model = load_model(tmp_path / "final")
    image = torch.from_numpy(simulated_frame(5, 56).image)[None, None]
    with torch.no_grad():
        raw = model(pixel_values=normalise(image)).predicted_depth
        height = predict_height(model, image)
        trained = predict_height(trainer.model.eval(), image)
    torch.testing.assert_close(raw * meaning["scale"] + meaning["shift"], height)
    torch.testing.assert_close(trained, height)


def test_bfloat16_stays_close_to_float32(plan: TrainingPlan, tmp_path: Path) -> None:
    model = Trainer(plan, tmp_path).model.eval()
    image = torch.from_numpy(simulated_frame(5, 56).image)[None, None]
    with torch.no_grad():
        exact, rough = (predict_height(model, image, bfloat16=b) for b in (False, True))
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().max() < 0.05 * max(float(exact.abs().max()), 0.05)


def test_full_model_fits_the_size_it_may_have() -> None:
    """Half-precision weights must stay under 30 MB: they ship inside the package."""
    small = Dinov2Config(hidden_size=384, num_hidden_layers=12, num_attention_heads=6)
    small.image_size, small.patch_size = 518, 14
    from transformers import DepthAnythingForDepthEstimation

    config = build_config(small, 6)
    with torch.device("meta"):
        model = DepthAnythingForDepthEstimation(config)
    assert 10e6 < parameter_count(model) <= 14.5e6
    assert config.backbone_config.out_features == ["stage1", "stage3", "stage4", "stage6"]


def test_unfit_encoders_are_refused(encoder: Path, plan: TrainingPlan, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no DINOv2 checkpoint"):
        Trainer(replace(plan, encoder=tmp_path), tmp_path)
    with pytest.raises(ValueError, match="has 5 layers, wanted 6"):
        Trainer(replace(plan, layers=6), tmp_path)
    with pytest.raises(ValueError, match="at least 4"):
        Trainer(replace(plan, layers=3), tmp_path)


def test_frames_are_a_function_of_their_number() -> None:
    one, again, other = training_frame(7, 70), training_frame(7, 70), training_frame(8, 70)
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.height, again.height)
    assert not np.array_equal(one.image, other.image)
    assert one.image.dtype == np.dtype(np.uint8)
    assert one.height.dtype == np.dtype(np.float32)
    assert np.median(one.height) == pytest.approx(0, abs=1e-6)


def test_batches_do_not_depend_on_where_one_begins() -> None:
    from_start, later = TrainingBatches(0, 3, 2, 70, 0), TrainingBatches(2, 3, 2, 70, 0)
    assert (len(from_start), len(later)) == (3, 1)
    assert torch.equal(from_start[2][0], later[0][0])
    assert not torch.equal(from_start[1][0], later[0][0])
    with pytest.raises(IndexError):
        later[1]


def test_training_never_draws_a_held_out_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def noted(draw: Callable[[int, int], Scene]) -> Callable[[int, int], Scene]:
        def note(seed: int, width: int) -> Scene:
            drawn.append(seed)
            return draw(seed, width)

        return note

    monkeypatch.setattr(training_data, "sample_scene", noted(sample_scene))
    monkeypatch.setattr(training_data, "print_scene", noted(print_scene))
    for index in range(40):
        training_frame(index * 997, 70, seed=index % 3)
    assert len(drawn) == 40
    assert set(drawn) <= set(TRAINING_SEEDS)
    assert not set(drawn) & {*HELD_OUT_SEEDS, *PRINT_SEEDS, *CONTINUOUS_SEEDS}


@pytest.mark.parametrize("reduction", [1, 2, 4])
def test_heights_keep_their_slope_at_any_camera_width(reduction: int) -> None:
    """In model pixels the same scene has the same height, however fine the camera."""
    reference, frame = simulated_frame(11, 112, 2), simulated_frame(11, 112, reduction)
    assert np.corrcoef(reference.height.ravel(), frame.height.ravel())[0, 1] > 0.95
    assert frame.height.std() == pytest.approx(reference.height.std(), rel=0.1)
    assert frame.model_pixel_mm == pytest.approx(reference.model_pixel_mm)


def test_heights_come_back_as_mm() -> None:
    scene = sample_scene(12, 112)
    truth = SimulatedWeb(scene).lines(0, 112).height.reshape(56, 2, 56, 2).mean(axis=(1, 3))
    frame = simulated_frame(12, 56)
    back = frame.height * frame.model_pixel_mm
    np.testing.assert_allclose(back, truth - np.median(truth), atol=1e-5)


def test_frames_differ_in_kind_and_view(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes: list[Scene] = []

    def note(scene: Scene) -> SimulatedWeb:
        scenes.append(scene)
        return SimulatedWeb(scene)

    monkeypatch.setattr(training_data, "SimulatedWeb", note)
    mirrored = 0
    for index in range(30, 90):
        frame = training_frame(index, 70)
        scene = scenes[-1]
        if scene.width % 70:
            continue  # a part of the web: where it lies is another test's
        plain = reduce_lines(SimulatedWeb(scene).lines(0, scene.width), scene, scene.width // 70)
        if np.array_equal(frame.image, plain.image):
            assert np.array_equal(frame.height, plain.height)
        else:
            np.testing.assert_array_equal(frame.image, plain.image[:, ::-1])
            np.testing.assert_array_equal(frame.height, plain.height[:, ::-1])
            mirrored += 1
    flat = [s for s in scenes if s.relief == FeatureMix()]
    assert 4 <= len(flat) <= 20
    assert any(s.albedo.print_mix != FeatureMix() for s in flat)
    assert 12 <= mirrored <= 40
    widths = {s.width for s in scenes}
    assert len(widths) >= 4
    assert widths <= {70, 105, 140, 210, 280}


def test_views_are_shares_of_all_frames() -> None:
    assert sum(view.share for view in VIEWS) == pytest.approx(1.0)


def test_a_part_of_the_web_has_larger_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes: list[Scene] = []

    def note(scene: Scene) -> SimulatedWeb:
        scenes.append(scene)
        return SimulatedWeb(scene)

    monkeypatch.setattr(training_data, "SimulatedWeb", note)
    monkeypatch.setattr(training_data, "VIEWS", (View(1, 1.5, 1.0),))
    for index in range(6):
        frame = training_frame(index, 70)
        scene = scenes[-1]
        assert frame.image.shape == frame.height.shape == (70, 70)
        assert scene.width == 105
        assert frame.model_pixel_mm == pytest.approx(scene.pitch_mm)
        whole = SimulatedWeb(scene).lines(0, 70)
        eight_bit = to_8_bit(whole.pixels, scene.camera.bit_depth)
        parts = [eight_bit[:, k : k + 70] for k in range(36)]
        assert any(
            np.array_equal(frame.image, p) or np.array_equal(frame.image, p[:, ::-1]) for p in parts
        )


def test_deep_pixels_become_eight_bit() -> None:
    assert to_8_bit(np.array([0, 4095], np.uint16), 12).tolist() == [0, 255]
    assert to_8_bit(np.array([0, 65535], np.uint16), 16).tolist() == [0, 255]
    assert to_8_bit(np.array([7, 255], np.uint8), 8).tolist() == [7, 255]


def test_losses() -> None:
    target = torch.zeros(2, 32, 32)
    assert height_loss(target, target) < 0.02
    assert root_mean_square_loss(target + 0.5, target).tolist() == pytest.approx([0.5, 0.5], 1e-4)
    raised = target + 0.5
    assert absolute_loss(raised, target).tolist() == [0.5, 0.5]
    assert gradient_loss(raised, target).tolist() == [0.0, 0.0], "a shift has no gradient"
    ramp = target + torch.arange(32.0)
    expected = (1 + 2 + 4 + 8 + 16) / 5
    assert gradient_loss(ramp, target).tolist() == pytest.approx([expected, expected])


def test_frames_of_low_relief_count_as_much() -> None:
    torch.manual_seed(1)
    high = torch.randn(1, 32, 32) * 50
    assert height_loss(0.01 * high * 0, 0.01 * high) == pytest.approx(
        float(height_loss(high * 0, high)), rel=0.3
    )


def test_offset_leaves_room_for_dents() -> None:
    assert all(simulated_frame(s, 56).height.min() > -HEIGHT_OFFSET for s in range(30))


def test_running_loss() -> None:
    progress = Progress()
    progress.note_loss(1.0)
    progress.step = 1
    progress.note_loss(0.0)
    assert progress.loss == pytest.approx(0.98)

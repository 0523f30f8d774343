from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from linescan.depth.export import export
from linescan.depth.export.checkpoint import find_checkpoint, load_model
from linescan.errors import ModelError
from linescan.records import Convention
from tests.depth.checkpoints import save_checkpoint


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint that a test may break."""
    return shutil.copytree(checkpoint, tmp_path / "mine")


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hub's address leads to a port where nobody listens, and its cache is empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def write_card(folder: Path, **values: Any) -> Path:
    (folder / "linescan.json").write_text(json.dumps(values))
    return folder


def test_a_plain_checkpoint_is_what_depth_anything_is(folder: Path) -> None:
    found = find_checkpoint(folder)
    assert (found.name, found.source, found.licence) == ("mine", "mine", "unknown")
    assert (found.convention, found.unit) == (Convention.DISPARITY, "relative")
    assert (found.scale, found.shift, found.input_size) == (1.0, 0.0, (70, 70))
    assert found.mean == (0.485, 0.456, 0.406)


def test_the_folders_own_card_comes_first_and_arguments_before_it(folder: Path) -> None:
    write_card(
        folder,
        name="web-7",
        convention="height",
        unit="um",
        scale=-2,
        shift=0.5,
        input_size=[84, 98],
        licence="MIT",
        steps=1200,
    )
    found = find_checkpoint(folder)
    assert (found.name, found.convention, found.unit) == ("web-7", Convention.HEIGHT, "um")
    assert (found.scale, found.shift) == (-2.0, 0.5)
    assert (found.input_size, found.licence) == ((84, 98), "MIT")
    other = find_checkpoint(folder, name="web-8", convention=Convention.DEPTH)
    assert (other.name, other.convention) == ("web-8", Convention.DEPTH)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"convention": "up"}, "'up': expected one of disparity, depth, height"),
        ({"scale": 0}, "scale not 0"),
        ({"shift": float("nan")}, "expected a finite number"),
        ({"name": "../x"}, "expected letters"),
        ({"unit": "inch"}, "expected one of relative"),
        ({"input_size": [70]}, "not enough values"),
    ],
)
def test_a_wrong_card_is_refused(folder: Path, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        find_checkpoint(write_card(folder, **values))


def test_a_metric_head_needs_a_convention(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "metric", depth_estimation_type="metric", max_depth=20)
    with pytest.raises(ModelError, match="state the convention"):
        find_checkpoint(folder)
    assert find_checkpoint(folder, convention=Convention.DEPTH).convention is Convention.DEPTH


def test_a_local_copy_of_a_published_model_is_known_by_its_name(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "x", depth_estimation_type="metric", max_depth=20)
    found = find_checkpoint(folder, name="metric-indoor-small")
    assert (found.convention, found.unit, found.scale) == (Convention.DEPTH, "mm", 1000.0)
    assert (found.licence, found.input_size) == ("Apache-2.0", (518, 518))
    with pytest.raises(ModelError, match=r"licence .* is unresolved.*--acknowledge-licence"):
        find_checkpoint(folder, name="metric-outdoor-large")
    assert find_checkpoint(folder, name="metric-outdoor-large", acknowledge_licence=True).unit


def test_the_processors_normalisation_is_used(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}))
    found = find_checkpoint(folder)
    assert (found.mean, found.std) == ((0.5,) * 3, (0.25,) * 3)
    path.write_text(json.dumps({"image_mean": [0.5]}))
    with pytest.raises(ModelError, match="expected 3 values"):
        find_checkpoint(folder)


@pytest.mark.parametrize("given", ["metric-indoor-base", "metric-outdoor-large"])
def test_weights_of_an_unresolved_licence_need_an_acknowledgement(no_hub: None, given: str) -> None:
    with pytest.raises(ModelError, match=r"unresolved.*--acknowledge-licence"):
        export(given)
    with pytest.raises(ModelError, match="cannot be had from the Hugging Face hub"):
        export(given, acknowledge_licence=True)


@pytest.mark.parametrize("given", ["base", "depth-anything/Depth-Anything-V2-Large-hf"])
def test_non_commercial_weights_need_an_acknowledgement(no_hub: None, given: str) -> None:
    with pytest.raises(ModelError, match=r"CC-BY-NC-4.0.*--acknowledge-licence"):
        export(given)
    with pytest.raises(ModelError, match="cannot be had from the Hugging Face hub"):
        export(given, acknowledge_licence=True)


def test_a_local_copy_of_non_commercial_weights_needs_it_too(folder: Path) -> None:
    (folder / "README.md").write_text("---\ntags:\n- depth\nlicense: cc-by-nc-4.0\n---\n# Base\n")
    with pytest.raises(ModelError, match="--acknowledge-licence"):
        find_checkpoint(folder)
    assert find_checkpoint(folder, acknowledge_licence=True).licence == "cc-by-nc-4.0"


@pytest.mark.parametrize("given", ["small", "someone/some-model"])
def test_a_hub_out_of_reach_is_one_sentence_with_the_way_out(
    no_hub: None, model_folder: Path, given: str
) -> None:
    with pytest.raises(ModelError, match=r"give its folder in place of the name") as error:
        export(given)
    assert "\n" not in str(error.value)
    assert not list(model_folder.iterdir())


@pytest.mark.slow
def test_an_offline_user_gets_the_same_sentence(tmp_path: Path) -> None:
    code = "from linescan.depth.export import export; export('small')"
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=50
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("linescan.errors.ModelError: checkpoint 'depth-anything/Depth-")
    assert last.endswith("give its folder in place of the name")


@pytest.mark.parametrize("package", ["torch", "transformers", "onnx", "onnxscript"])
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path, tmp_path: Path, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=r"pip install '\.\[export\]'") as error:
        export(checkpoint, tmp_path / "x.onnx")
    assert package in str(error.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("surface-tiny", "is embedded"),
        ("nonesuch", "no such folder, and neither a name"),
        ("./no/such/folder", "no such folder"),
    ],
)
def test_what_is_no_checkpoint_is_refused(given: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        find_checkpoint(given)


def test_a_folder_that_holds_something_else_is_refused(folder: Path) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({"model_type": "dinov2"}))
    with pytest.raises(ModelError, match=r"'dinov2', expected 'depth_anything'"):
        find_checkpoint(folder)
    config.write_text("{")
    with pytest.raises(ModelError, match=r"config\.json: expected a checkpoint's"):
        find_checkpoint(folder)
    config.unlink()
    with pytest.raises(ModelError, match=r"config\.json: expected a checkpoint's"):
        find_checkpoint(folder)


def test_missing_weights_are_refused_not_made_up(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["head.conv2.weight"]
    weights["head.conv3.bias"] = torch.zeros(7)
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ModelError, match=r"2 weights are missing .* such as head\.conv2\.weight"):
        load_model(find_checkpoint(folder))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_weights_are_refused(folder: Path, share: float) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match="the checkpoint cannot be loaded"):
        load_model(find_checkpoint(folder))


def test_half_precision_weights_are_computed_in_fp32(folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file({k: v.half() for k, v in load_file(path).items()}, path, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    model = load_model(find_checkpoint(folder))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.backbone.config._attn_implementation == "eager"
    assert not model.training


def test_a_model_that_gives_one_value_is_refused(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "dead", offset=-1e6)
    with pytest.raises(ModelError, match="the same value everywhere"):
        export(folder, tmp_path / "dead.onnx")
    assert not list(tmp_path.glob("*.onnx*"))


@pytest.mark.parametrize("size", [(70, 71), (14, 70)])
def test_a_size_that_patches_do_not_tile_is_refused(
    checkpoint: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    with pytest.raises(ModelError, match="multiples of 14"):
        export(checkpoint, tmp_path / "x.onnx", size=size)


def test_a_place_that_cannot_be_written_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"must end in \.onnx"):
        export(checkpoint, tmp_path / "x.bin")
    with pytest.raises(ModelError, match="embedded model: give another name"):
        export(checkpoint, name="surface-tiny")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write the model"):
        export(checkpoint, tmp_path / "file" / "x.onnx")

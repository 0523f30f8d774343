from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from linescan.depth.models import REGISTRY, find, list_models, model_folder
from linescan.errors import ModelError
from linescan.records import Convention

SIZES = ("small", "base", "large")


@pytest.mark.parametrize("name", ["base", "large"])
def test_non_commercial_models_need_an_acknowledgement(name: str) -> None:
    assert REGISTRY[name].licence == "CC-BY-NC-4.0"
    assert "commercial" in (REGISTRY[name].acknowledgement or "")


@pytest.mark.parametrize("place", ["indoor", "outdoor"])
@pytest.mark.parametrize("size", SIZES)
def test_metric_variants_give_depth_in_mm(place: str, size: str) -> None:
    """Their heads give metres."""
    model = REGISTRY[f"metric-{place}-{size}"]
    where = f"Metric-{place.capitalize()}-{size.capitalize()}"
    assert model.hub_id == f"depth-anything/Depth-Anything-V2-{where}-hf"
    assert (model.convention, model.unit, model.scale) == (Convention.DEPTH, "mm", 1000.0)
    assert (model.licence == "unresolved") == (model.acknowledgement is not None)
    assert (model.acknowledgement is None) == (size == "small")


@pytest.mark.parametrize("name", ["small", "surface-tiny"])
def test_default_models_are_free_to_use(name: str) -> None:
    assert REGISTRY[name].licence == "Apache-2.0"
    assert REGISTRY[name].acknowledgement is None


def test_only_surface_tiny_is_embedded() -> None:
    assert [m.name for m in REGISTRY.values() if m.embedded] == ["surface-tiny"]
    assert REGISTRY["small"].hub_id == "depth-anything/Depth-Anything-V2-Small-hf"


def test_find_takes_an_exported_file_of_the_model_folder(model_folder: Path) -> None:
    for name in ("small", "mine"):
        (model_folder / f"{name}.onnx").write_bytes(b"x")
        assert find(name).path == model_folder / f"{name}.onnx"
        assert find(name).name == name


def test_find_takes_a_path(tmp_path: Path) -> None:
    path = tmp_path / "web-7.onnx"
    path.write_bytes(b"x")
    assert find(path).path == path
    assert find(str(path)).name == "web-7"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("small", "linescan model export small"),
        ("large", "linescan model export large"),
        ("smal", "did you mean 'small'"),
        ("zzz", "surface-tiny, small, base, large"),
        ("gone/x.onnx", "no such model file"),
        ("runs/final", "linescan model export runs/final"),
        ("../small", "expected a name"),
        ("..", "expected a name"),
        ("", "expected a name"),
    ],
)
def test_what_is_missing_is_named_with_the_way_to_get_it(
    model_folder: Path, given: str, says: str
) -> None:
    with pytest.raises(ModelError, match=says) as error:
        find(given)
    assert "\n" not in str(error.value)


def test_list_says_what_is_there(model_folder: Path) -> None:
    (model_folder / "small.onnx").write_bytes(b"123")
    (model_folder / "web-7.onnx").write_bytes(b"12345")
    listings = {listing.name: listing for listing in list_models()}
    metric = [f"metric-{place}-{size}" for place in ("indoor", "outdoor") for size in SIZES]
    assert list(listings) == ["surface-tiny", *SIZES, *metric, "web-7"]
    assert (listings["small"].nbytes, listings["small"].path) == (3, model_folder / "small.onnx")
    assert listings["base"].path is None
    assert listings["web-7"].model is None
    assert listings["web-7"].nbytes == 5


def test_model_folder_lies_in_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LINESCAN_MODELS", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert model_folder() == tmp_path / "linescan" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_folder() == tmp_path / ".local" / "share" / "linescan" / "models"


def test_importing_depth_loads_nothing_heavy() -> None:
    heavy = ("cv2", "onnxruntime", "openvino", "torch", "transformers", "onnx", "pydantic")
    code = (
        f"import sys, linescan.depth, linescan.depth.export\nprint({heavy!r} & sys.modules.keys())"
    )
    code = code.replace(repr(heavy), f"set({heavy!r})")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "set()"

from __future__ import annotations

from pathlib import Path

import pytest

from tests.depth.onnx_files import write_model


@pytest.fixture
def handmade(tmp_path: Path) -> Path:
    """A dynamic model that gives gray / 4, with scale 2 and shift -1.5."""
    return write_model(tmp_path / "handmade.onnx")


@pytest.fixture
def model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model folder in place of the user's."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("LINESCAN_MODELS", str(folder))
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random checkpoint in the Hugging Face format; read only."""
    from tests.depth.checkpoints import save_checkpoint

    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "small-random")

"""Rigs with the virtual camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linescan.simulation.virtual_camera import compiler
from tests.sources.genicam.virtual import Rig, rig_fixture


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    if compiler() is None:
        pytest.skip("the virtual camera needs a C compiler")
    yield from rig_fixture(tmp_path, monkeypatch)

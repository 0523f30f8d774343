"""The producer, built once, and clients of it in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linescan.records import GrayArray
from linescan.simulation.virtual_camera import (
    VirtualWorld,
    WorldSettings,
    build_producer,
    compiler,
    environment,
)

MakeWorld = Callable[..., VirtualWorld]


@pytest.fixture(scope="session")
def cti() -> Path:
    if compiler() is None:
        pytest.skip("the virtual camera needs a C compiler")
    return build_producer()


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Worlds of noise, closed at the end."""
    made: list[VirtualWorld] = []

    def make(
        pixels: GrayArray | None = None, bits: int | None = None, **settings: Any
    ) -> VirtualWorld:
        if pixels is None:
            pixels = np.random.default_rng(5).integers(0, 256, (700, 64), dtype=np.uint8)
        fast = {"line_rate_hz": 20_000.0, "block_lines": 64, **settings}
        path = tmp_path / f"world-{len(made)}"
        world = VirtualWorld.create(path, pixels, bits=bits, settings=WorldSettings(**fast))
        made.append(world)
        return world

    yield make
    for world in made:
        world.close()


class Client:
    """Runs deeds of ``client.py`` in processes that see some worlds."""

    def __init__(self, cti: Path) -> None:
        self._cti = cti

    def start(self, *worlds: VirtualWorld, deed: str, **order: Any) -> subprocess.Popen[str]:
        line = json.dumps({"deed": deed, "cti": str(self._cti), **order})
        return subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.virtual_camera.client", line],
            env={**os.environ, **environment(*worlds)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *worlds: VirtualWorld, deed: str, **order: Any) -> Any:
        with self.start(*worlds, deed=deed, **order) as process:
            out, said = process.communicate(timeout=50)
        assert process.returncode == 0, said
        return json.loads(out)


@pytest.fixture
def client(cti: Path) -> Client:
    return Client(cti)

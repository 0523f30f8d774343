"""What tests with the virtual camera share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linescan.config import GenicamSource
from linescan.records import Cause, GrayArray, Interval, LineBlock, Loss
from linescan.simulation.virtual_camera import (
    ENVIRONMENT,
    Fate,
    VirtualWorld,
    WorldSettings,
    build_producer,
)
from linescan.sources.genicam import GenicamCamera

HEIGHT = 64
WIDTH = 256


def lines(count: int = 1000, width: int = WIDTH, bits: int = 8) -> GrayArray:
    """Lines that all differ."""
    kind: Any = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(3).integers(0, 1 << bits, (count, width), dtype=kind)


class Rig:
    """A virtual camera, acquired; every block is compared with what the camera saw.

    Attributes:
        world: the camera's world.
        camera: the source under test.
        captured: lines that the source has evidence of.
        items: what came, without pixels.
    """

    def __init__(self, folder: Path, pixels: GrayArray, settings: dict[str, Any], **section: Any):
        self.pixels = pixels
        world = {"line_rate_hz": 20_000.0, "block_lines": HEIGHT, "hold": True, **settings}
        self.world = VirtualWorld.create(folder / "world", pixels, settings=WorldSettings(**world))
        standard: dict[str, Any] = {
            "producer": build_producer(),
            # Room for a second and a half, so that a busy machine loses nothing by itself.
            "buffers": 512,
            "ring_blocks": 1024,
            "supervision": {"first_retry_s": 0.01, "longest_retry_s": 0.05},
        }
        self.camera = GenicamCamera(GenicamSource.model_validate(standard | section))
        self.captured: list[Interval] = []
        self.items: list[LineBlock | Loss] = []
        self.wrong = 0
        self.after = 0

    def play(self, until: Callable[[Rig], bool]) -> Rig:
        """Acquire until something is so; called again, it goes on."""
        if not self.items:
            self.camera.open(self.captured.extend)
            self._given = self.camera.items()
        for item in self._given:
            self._take(item)
            del item
            if until(self):
                break
        return self

    def _take(self, item: LineBlock | Loss) -> None:
        (run,) = item.lines()
        if run.first != self.after:
            self.wrong += 1
        self.after = run.end
        if isinstance(item, LineBlock):
            at = np.arange(run.first, run.end) % len(self.pixels)
            self.wrong += not np.array_equal(item.pixels[: item.valid_rows], self.pixels[at])
            item = LineBlock(
                item.pixels[:0].copy(),
                item.first_line,
                item.valid_rows,
                item.host_time_ns,
                item.device_time_ns,
                item.encoder,
                item.flags,
                encoder_ends=item.encoder_ends,
                exposed_ns=item.exposed_ns,
            )
        self.items.append(item)

    @property
    def blocks(self) -> list[LineBlock]:
        return [item for item in self.items if isinstance(item, LineBlock)]

    def lost(self) -> dict[Cause, int]:
        """Lines lost by cause."""
        lost: dict[Cause, int] = {}
        for item in self.items:
            if isinstance(item, Loss):
                lost[item.cause] = lost.get(item.cause, 0) + item.count
        return lost

    def close(self) -> None:
        if self.items:
            self._given.close()  # type: ignore[attr-defined]
        self.camera.close()

    def check(self) -> dict[Fate, int]:
        """Every line that was captured has one fate, and it is the camera's own; its fates."""
        assert self.wrong == 0, "lines with other pixels than the camera saw, or out of order"
        span = Interval(0, self.after)
        assert sum(run.count for run in self.captured) == span.count
        delivered = sum(block.valid_rows for block in self.blocks)
        lost = self.lost()
        assert delivered + sum(lost.values()) == span.count
        truth = self.world.truth()
        assert truth.streams[0].first == 0
        fates = truth.within(span)
        assert sum(fates.values()) == span.count
        return fates


def rig_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    """Makes rigs that are closed at the end."""
    made: list[Rig] = []

    def make(pixels: GrayArray | None = None, *, world: Any = None, **section: Any) -> Rig:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        pixels = lines() if pixels is None else pixels
        rig = Rig(folder, pixels, world or {}, **section)
        monkeypatch.setenv(ENVIRONMENT, rig.world.environment[ENVIRONMENT])
        made.append(rig)
        return rig

    yield make
    for rig in made:
        rig.close()
        rig.world.close()

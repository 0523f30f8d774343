"""Acquisition from a real GenTL producer: the simulator that comes with the GenICam library."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import genicam
import psutil
import pytest

from linescan.config import Device, GenicamSource
from linescan.errors import SourceError
from linescan.records import Cause, LineBlock, Loss
from linescan.sources.genicam import GenicamCamera, ring
from tests.sources.helpers import Played

PRODUCER = next(Path(str(genicam.__file__)).parent.rglob("*.cti"))


def section(**settings: Any) -> GenicamSource:
    standard = {"producer": PRODUCER, "width": 320, "block_lines": 120}
    return GenicamSource.model_validate(standard | settings)


def pid_of(camera: GenicamCamera) -> int:
    assert camera._process is not None
    assert camera._process.pid is not None
    return camera._process.pid


@pytest.fixture
def camera() -> Iterator[GenicamCamera]:
    camera = GenicamCamera(section())
    yield camera
    camera.close()


def test_the_camera_gives_lines() -> None:
    camera = GenicamCamera(section(width=336, pixel_format="Mono8"))
    played = Played(camera, stop_after=5)
    assert played.error is None
    assert [b.first_line for b in played.blocks] == [0, 120, 240, 360, 480]
    assert all(b.valid_rows == 120 and b.pixels.shape == (120, 336) for b in played.blocks)
    assert len({b.pixels.tobytes() for b in played.blocks}) > 1, "the ball of the simulator moves"
    assert all(b.device_time_ns is None for b in played.blocks), "this producer has no time stamps"
    times = [b.host_time_ns for b in played.blocks]
    assert times == sorted(times)
    assert (played.info.width, played.info.bits, played.info.dtype) == (336, 8, "uint8")
    assert "Viky" in played.info.name


def test_a_colour_camera_is_switched_to_gray_and_that_is_said(
    camera: GenicamCamera, caplog: pytest.LogCaptureFixture
) -> None:
    camera.open(lambda _: None)
    assert "pixel format RGBa8 becomes Mono8" in caplog.text


def test_the_process_and_its_memory_are_gone_after_close(camera: GenicamCamera) -> None:
    camera.open(lambda _: None)
    pid = pid_of(camera)
    assert camera._ring is not None
    name = camera._ring.name
    next(camera.items())
    camera.close()
    camera.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(FileNotFoundError):
        ring.Ring(1, 1, 1, "uint8", name=name)


@pytest.mark.parametrize(
    ("device", "serial"),
    [
        (Device(serial="1"), "1"),
        (Device(model="Viky", index=2), "2"),
        (Device(index=1), "1"),
    ],
)
def test_the_device_that_is_asked_for(device: Device, serial: str) -> None:
    camera = GenicamCamera(section(device=device))
    try:
        camera.open(lambda _: None)
        assert camera.description.name.endswith(f"serial {serial}")
    finally:
        camera.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"producer": Path("/missing/vendor.cti")}, "/missing/vendor.cti: no such GenTL producer"),
        ({"device": Device(serial="77")}, "no camera with serial 77, index 0; there are: "),
        ({"device": Device(index=3)}, "no camera with index 3; there are: "),
        ({"width": 5000}, "Width cannot be 5000: it takes 100 to 800"),
        ({"block_lines": 7}, "Height cannot be 7: it takes 100 to 800"),
        ({"pixel_format": "Mono12"}, "PixelFormat cannot be Mono12: it takes RGBa8, Mono8"),
        ({"line_rate_hz": 5000.0}, "the camera has no feature AcquisitionLineRate or"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(settings: dict[str, Any], said: str) -> None:
    camera = GenicamCamera(section(**settings))
    with pytest.raises(SourceError) as caught:
        camera.open(lambda _: None)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert camera._process is None


def test_a_file_that_is_no_producer_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.cti").write_text("hello")
    with pytest.raises(SourceError, match=r"text\.cti: the GenTL producer cannot be loaded"):
        GenicamCamera(section(producer=tmp_path / "text.cti")).open(lambda _: None)
    library = next(Path(str(genicam.__file__)).parent.glob("_gentl*.so"))
    shutil.copy(library, tmp_path / "library.cti")
    with pytest.raises(SourceError, match=r"library\.cti: "):
        GenicamCamera(section(producer=tmp_path / "library.cti")).open(lambda _: None)


def test_a_camera_in_use_is_said() -> None:
    program = f"""
from pathlib import Path
from linescan.config import GenicamSource
from linescan.errors import SourceError
from linescan.sources.genicam.device import load_producer, take_device
section = GenicamSource(producer=Path({str(PRODUCER)!r}))
harvester = load_producer(section.producer)
acquirer, _ = take_device(harvester, section)
try:
    take_device(harvester, section)
except SourceError as error:
    print(error)
acquirer.destroy()
harvester.reset()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30
    )
    assert "serial 0: another program uses this camera" in done.stdout


def test_a_killed_process_is_an_error_and_nothing_is_left(camera: GenicamCamera) -> None:
    camera.open(lambda _: None)
    items = camera.items()
    assert isinstance(next(items), LineBlock)
    pid = pid_of(camera)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SourceError, match=r"ended unexpectedly \(killed by SIGKILL\)"):
        for _ in items:
            pass
    camera.close()
    assert not psutil.pid_exists(pid)


def test_a_process_killed_before_it_starts_is_an_error(camera: GenicamCamera) -> None:
    camera.open(lambda _: None)
    os.kill(pid_of(camera), signal.SIGKILL)
    with pytest.raises(SourceError, match="killed by SIGKILL"):
        list(camera.items())


def test_ctrl_c_does_not_reach_the_camera_and_sigterm_ends_it_cleanly(
    camera: GenicamCamera,
) -> None:
    camera.open(lambda _: None)
    items = camera.items()
    next(items)
    os.kill(pid_of(camera), signal.SIGINT)
    assert isinstance(next(items), LineBlock)
    assert isinstance(next(items), LineBlock)
    os.kill(pid_of(camera), signal.SIGTERM)
    list(items)  # ends by itself, without an error
    assert camera._process is not None
    camera._process.join(10)
    assert camera._process.exitcode == 0


def test_a_slow_consumer_loses_lines_and_every_one_is_counted(
    camera: GenicamCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "RING_BYTES", 3 * 320 * 120)
    camera.open(lambda _: None)
    assert camera._ring is not None
    assert camera._ring.slots == 3
    given: list[LineBlock | Loss] = []
    for item in camera.items():
        given.append(item)
        losses = [i for i in given if isinstance(i, Loss)]
        if losses and isinstance(item, LineBlock):
            break
        if len(given) == 1:
            deadline = time.monotonic() + 30
            while camera._free.get_value() > 0 and time.monotonic() < deadline:
                time.sleep(0.01)  # until the ring is full
            time.sleep(0.3)  # some blocks more
        assert len(given) < 100
    at = 0
    for item in given:
        (lines,) = item.lines()
        assert lines.first == at
        at = lines.end
    assert {loss.cause for loss in losses} == {Cause.UNDER_RUN}


def test_a_dead_parent_leaves_no_process() -> None:
    program = f"""
import os, signal
from pathlib import Path
from linescan.config import GenicamSource
from linescan.sources.genicam import GenicamCamera
if __name__ == "__main__":
    camera = GenicamCamera(GenicamSource(producer=Path({str(PRODUCER)!r}), width=320))
    camera.open(lambda _: None)
    next(camera.items())
    print(camera._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30
    )
    child = int(done.stdout)
    deadline = time.monotonic() + 30
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""Acquisition from a real GenTL producer: the simulator that comes with the GenICam library."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import genicam
import psutil
import pytest

from linescan.config import Device, GenicamSource
from linescan.errors import SourceError
from linescan.records import Cause, LineBlock, Loss
from linescan.sources.genicam import GenicamCamera
from tests.sources.helpers import Played

PRODUCER = next(Path(str(genicam.__file__)).parent.rglob("*.cti"))


def section(**settings: Any) -> GenicamSource:
    standard = {
        "producer": PRODUCER,
        "width": 320,
        "block_lines": 120,
        "supervision": {"first_retry_s": 0.01},
    }
    return GenicamSource.model_validate(standard | settings)


def pid_of(camera: GenicamCamera) -> int:
    assert camera.pid is not None
    return camera.pid


def rings() -> int:
    """Rings that this process has mapped."""
    return Path("/proc/self/maps").read_text().count("linescan-ring")


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
    block = next(camera.items())
    assert isinstance(block, LineBlock)
    kept = block.pixels.copy()
    assert rings() == 1
    camera.close()
    camera.close()
    assert not psutil.pid_exists(pid)
    assert (block.pixels == kept).all(), "what is still held stays readable"
    del block
    assert rings() == 0


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
        (
            {"device": Device(serial="77")},
            "no camera with serial 77; set 'source.device' to one of",
        ),
        (
            {"device": Device(index=3)},
            "no camera with index 3; set 'source.device' to one of",
        ),
        ({"width": 5000}, "Width cannot be 5000: it takes 100 to 800"),
        ({"block_lines": 7}, "Height cannot be 7: it takes 100 to 800"),
        (
            {"pixel_format": "Mono12"},
            "'source.pixel_format': the camera's PixelFormat cannot be Mono12: it takes RGBa8",
        ),
        ({"line_rate_hz": 5000.0}, "the camera has no feature AcquisitionLineRate or"),
        ({"line_rate_hz": 5000.0}, "; leave it out, or find its name with 'linescan camera feat"),
        ({"trigger": {"mode": "encoder"}}, "'source.trigger': the camera has no feature Trigger"),
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
    with pytest.raises(SourceError, match=r"text\.cti: .* cannot be loaded: file too short; is it"):
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


def test_a_killed_process_is_replaced_and_the_lines_between_are_lost(
    camera: GenicamCamera,
) -> None:
    camera.open(lambda _: None)
    items = camera.items()
    pids = set()
    for _ in range(2):
        given = [next(items) for _ in range(12)]  # long enough to know how fast lines come
        pids.add(pid_of(camera))
        os.kill(pid_of(camera), signal.SIGKILL)
        while not isinstance(given[-1], Loss):
            given.append(next(items))
        loss = given[-1]
        assert loss.cause is Cause.RECONNECT
        assert loss.estimated, "this camera has no counter that goes on"
        assert loss.first_line == given[-2].lines()[0].end
        after = next(items)
        assert isinstance(after, LineBlock)
        assert after.first_line == loss.lines()[0].end
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_the_run_ends_where_attempts_are_limited() -> None:
    camera = GenicamCamera(section(supervision={"attempts": 0}))
    try:
        camera.open(lambda _: None)
        os.kill(pid_of(camera), signal.SIGKILL)
        with pytest.raises(SourceError, match=r"ended unexpectedly \(killed by SIGKILL\)"):
            list(camera.items())
    finally:
        camera.close()


def test_a_hung_process_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    camera = GenicamCamera(section(supervision={"hang_s": 0.5, "first_retry_s": 0.01}))
    try:
        camera.open(lambda _: None)
        items = camera.items()
        next(items)
        hung = pid_of(camera)
        os.kill(hung, signal.SIGSTOP)
        while pid_of(camera) == hung:
            next(items)
        assert not psutil.pid_exists(hung)
        assert "no sign of life for 0.5 s" in caplog.text
    finally:
        camera.close()


def test_ctrl_c_does_not_reach_the_camera_and_sigterm_replaces_it(
    camera: GenicamCamera, caplog: pytest.LogCaptureFixture
) -> None:
    camera.open(lambda _: None)
    items = camera.items()
    next(items)
    first = pid_of(camera)
    os.kill(first, signal.SIGINT)
    for _ in range(3):
        next(items)
    assert pid_of(camera) == first
    os.kill(first, signal.SIGTERM)
    while pid_of(camera) == first:
        next(items)
    assert "it was asked to end" in caplog.text


@pytest.mark.parametrize("overflow", ["drop", "wait"])
def test_a_slow_consumer_loses_lines_and_every_one_is_counted(overflow: str) -> None:
    camera = GenicamCamera(section(ring_blocks=3, ring_overflow=overflow, buffers=4))
    captured: list[Any] = []
    try:
        camera.open(captured.extend)
        ring = camera._ring
        assert ring is not None
        assert ring.slots == 3
        given: list[LineBlock | Loss] = []
        for item in camera.items():
            given.append(item)
            if len(given) == 1:
                deadline = time.monotonic() + 30
                while ring.free_slots and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(1.0)  # 20 blocks more
            if isinstance(item, LineBlock) and item.first_line > 20 * 120:
                break
            if isinstance(item, LineBlock):
                del given[-1]
                given.append(replace(item, pixels=item.pixels.copy()))
                item = given[-1]
            assert len(given) < 100
        del item
    finally:
        camera.close()
    at = 0
    for entry in given:
        (lines,) = entry.lines()
        assert lines.first == at
        at = lines.end
    assert sum(lines.count for lines in captured) == at
    losses = [entry for entry in given if isinstance(entry, Loss)]
    causes = {loss.cause for loss in losses}
    assert losses
    if overflow == "drop":
        assert causes == {Cause.RING_OVERFLOW}
    else:
        assert causes <= {Cause.UNDER_RUN, Cause.CAMERA_GAP}


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
    print(camera.pid, flush=True)
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

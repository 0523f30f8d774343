"""A GenICam client of the virtual camera, run as a process of its own: a crash takes only itself.

``python -m tests.simulation.virtual_camera.client ORDER``; the order is JSON, the answer, too.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from genicam.gentl import ACQ_STOP_FLAGS_LIST
from harvesters.core import Harvester

PATIENCE_S = 20.0


def main() -> None:
    order = json.loads(sys.argv[1])
    logging.getLogger("harvesters").setLevel(logging.CRITICAL)
    json.dump(DEEDS[order.pop("deed")](**order), sys.stdout)


def _open(cti: str, index: int = 0) -> tuple[Any, Any]:
    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    return harvester, harvester.create(index)


def put(node_map: Any, settings: dict[str, Any], chunks: list[str]) -> None:
    for name, value in settings.items():
        node = getattr(node_map, name)
        if hasattr(node, "execute"):
            node.execute()
        else:
            node.value = value
    if chunks:
        node_map.ChunkModeActive.value = True
    for chunk in chunks:
        node_map.ChunkSelector.value = chunk
        node_map.ChunkEnable.value = True


def grab(
    cti: str,
    blocks: int,
    *,
    settings: dict[str, Any] | None = None,
    chunks: tuple[str, ...] = (),
    buffers: int = 8,
    out: str | None = None,
    index: int = 0,
    scan_line: int = 0,
    stall_after: int | None = None,
    stall_s: float = 0.0,
    give_up_s: float = PATIENCE_S,
) -> dict[str, Any]:
    """Fetch so many blocks, incomplete ones included; ``out`` takes their whole buffers."""
    harvester, acquirer = _open(cti, index)
    node_map = acquirer.remote_device.node_map
    put(node_map, settings or {}, list(chunks))
    acquirer.num_buffers = buffers
    acquirer.timeout_period_on_update_event_data_call = 0
    acquirer.start()
    monitor = next(iter(acquirer._new_buffer_event_monitor_dict.values()))
    told: list[dict[str, Any]] = []
    raw = []
    end = time.monotonic() + give_up_s
    while len(told) < blocks and time.monotonic() < end:
        try:
            monitor.update_event_data(0)
        except Exception:  # noqa: BLE001 - nothing there yet
            time.sleep(0.0005)
            continue
        buffer = monitor.buffer
        acquirer._update_chunk_data(buffer=buffer, is_manual=False)
        told.append(_tell(buffer, node_map, chunks, scan_line))
        if out is not None:
            raw.append(np.frombuffer(buffer.raw_buffer, np.uint8).copy())
        buffer.parent.queue_buffer(buffer)
        if stall_after == len(told):
            time.sleep(stall_s)
    statistics = acquirer.data_streams[0]
    answer = {
        "blocks": told,
        "under_runs": _or_none(lambda: statistics.num_underrun),
        "delivered": _or_none(lambda: statistics.num_delivered),
        "access": _or_none(lambda: acquirer.device.module.access_status),
    }
    if out is not None:
        np.save(Path(out), np.stack(raw))
    acquirer.stop()
    for stream in acquirer.data_streams:
        _or_none(
            lambda stream=stream: stream.module.stop_acquisition(
                ACQ_STOP_FLAGS_LIST.ACQ_STOP_FLAGS_KILL
            )
        )
    acquirer.destroy()
    harvester.reset()
    return answer


def _tell(buffer: Any, node_map: Any, chunks: tuple[str, ...], scan_line: int) -> dict[str, Any]:
    told = {
        "id": _or_none(lambda: buffer.frame_id),
        "complete": buffer.is_complete(),
        "rows": _or_none(lambda: buffer.delivered_image_height),
        "height": buffer.height,
        "width": buffer.width,
        "padding": buffer.padding_x,
        "time_ns": _or_none(lambda: buffer.timestamp_ns),
        "filled": buffer.size_filled,
    }
    if chunks and told["complete"]:
        node_map.ChunkScanLineSelector.value = scan_line
        names = {c: f"Chunk{c}" for c in chunks}
        told["chunks"] = {c: int(getattr(node_map, name).value) for c, name in names.items()}
    return told


def _or_none(ask: Any) -> Any:
    try:
        answer = ask()
    except Exception:  # noqa: BLE001 - whatever the library raises
        return None
    return int(answer) if answer is not None else None


def features(cti: str, *, settings: dict[str, Any] | None = None, index: int = 0) -> dict[str, Any]:
    """Set features, then read all that can be read."""
    harvester, acquirer = _open(cti, index)
    node_map = acquirer.remote_device.node_map
    put(node_map, settings or {}, [])
    values, refused = {}, []
    for name in dir(node_map):
        if name.startswith("_") or name.endswith("Reg"):
            continue
        try:
            values[name] = getattr(node_map, name).value
        except Exception:  # noqa: BLE001 - chunks, commands and methods have no value now
            refused.append(name)
    acquirer.destroy()
    harvester.reset()
    return {"values": values, "refused": refused}


def refuse(cti: str, *, tries: dict[str, Any], streaming: bool = False) -> dict[str, str]:
    """Set each feature on its own; the answers are the names of the errors."""
    harvester, acquirer = _open(cti)
    node_map = acquirer.remote_device.node_map
    if streaming:
        acquirer.start()
    answers = {}
    for name, value in tries.items():
        try:
            getattr(node_map, name).value = value
        except Exception as error:  # noqa: BLE001 - whatever the library raises
            answers[name] = type(error).__name__
        else:
            answers[name] = "taken"
    if streaming:
        acquirer.stop()
    acquirer.destroy()
    harvester.reset()
    return answers


def devices(cti: str) -> list[dict[str, Any]]:
    """The cameras that the producer lists."""
    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    found = [
        {
            "serial": info.serial_number,
            "user": info.user_defined_name,
            "vendor": info.vendor,
            "access": int(info.access_status),
        }
        for info in harvester.device_info_list
    ]
    harvester.reset()
    return found


def cycles(cti: str, times: int, blocks: int) -> dict[str, Any]:
    """Open, acquire, stop and close again and again; resident memory before and after."""
    harvester = Harvester()
    harvester.add_file(cti)
    harvester.update()
    resident, got = [], 0
    for turn in range(times):
        acquirer = harvester.create(0)
        acquirer.num_buffers = 4
        acquirer.start()
        for _ in range(blocks):
            buffer = acquirer.fetch(timeout=PATIENCE_S)
            got += 1
            buffer.queue()
        acquirer.stop()
        acquirer.destroy()
        if turn in (times // 4, times - 1):
            resident.append(_resident_mb())
    threads = len(list(Path("/proc/self/task").iterdir()))
    harvester.reset()
    files = len(list(Path("/proc/self/fd").iterdir()))
    return {"resident": resident, "blocks": got, "threads": threads, "files": files}


def hold(cti: str, seconds: float) -> dict[str, Any]:
    """Acquire without an end in sight, to be killed."""
    return grab(cti, 10**9, give_up_s=seconds)


def lose(cti: str) -> dict[str, Any]:
    """Acquire until the device is gone; say what the client sees then."""
    harvester, acquirer = _open(cti)
    acquirer.num_buffers = 4
    acquirer.start()
    end = time.monotonic() + PATIENCE_S
    while acquirer.device.module.access_status == 5 and time.monotonic() < end:
        buffer = acquirer.try_fetch(timeout=0.01)
        if buffer is not None:
            buffer.queue()
    seen: dict[str, Any] = {"access": int(acquirer.device.module.access_status)}
    try:
        seen["width"] = acquirer.remote_device.node_map.Width.value
    except Exception as error:  # noqa: BLE001 - whatever the library raises
        seen["read"] = type(error).__name__
    for stream in acquirer.data_streams:
        stream.module.stop_acquisition(ACQ_STOP_FLAGS_LIST.ACQ_STOP_FLAGS_KILL)
    _or_none(acquirer.stop)
    _or_none(acquirer.destroy)
    harvester.reset()
    return seen


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


DEEDS: dict[str, Any] = {
    deed.__name__: deed for deed in (grab, features, refuse, devices, cycles, hold, lose)
}

if __name__ == "__main__":
    main()

"""Throughput of the publisher beside a bare zero-copy loop, over tcp loopback to second processes.

    python scripts/bench_delivery.py --rounds 20 --json delivery.json

Three loops are set up at once, each with a subscriber in a process of its own: ``bare`` (an XPUB
socket that sends topic, header and the same arrays with copy=False), ``publisher`` (encoding and
checksums included, no journal) and ``journal``. They take turns, a burst each, with as many
messages in flight in all of them; all subscribers do the same, and checksums are made by the
publisher alone. A burst ends when its last message has arrived; ``synced`` is the burst of
``journal`` until the disk has all of it. A ratio is the median over rounds, of figures from one.
``disk`` is what the disk takes of the same bytes in the fastest way known, synced at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import zmq

from linescan.config import JournalSection
from linescan.journal.disk import create
from linescan.pipeline.keeping import Keeping
from linescan.protocol import Kind, Stamp, encode, topic
from linescan.publishing import Journal, Outgoing, Publisher
from linescan.records import (
    Convention,
    DepthMap,
    Frame,
    Inspection,
    Segmentation,
    WebMap,
)

CAMERA: Final = "web-1"
TOPIC: Final = topic(CAMERA, Kind.INSPECTION)
MB: Final = 1 << 20
FREE: Final = "tcp://127.0.0.1:*"
IN_FLIGHT: Final = 8
"""Messages sent and not yet received, at most, in all loops: a subscriber that loses some would
make the figures those of a different load."""


def inspection(index: int, nbytes: int) -> Inspection:
    """An inspection whose arrays have so many bytes: depth of 4 and labels of 2 bytes a pixel."""
    columns = 1024
    size = nbytes // 6 // columns, columns
    rng = np.random.default_rng(index)
    frame = Frame(np.zeros((64, 64), np.uint8), index * 64, np.ones(64, np.bool_), 0, 1)
    web = WebMap(0.0, 1.0, 0.0, 1.0)
    values = rng.random(size, dtype=np.float32)
    depth = DepthMap(
        values, Convention.HEIGHT, "mm", 1.0, 0.0, None, np.ones(size[0], np.bool_), web
    )
    labels = rng.integers(0, 3, size, dtype=np.uint16)
    return Inspection(frame, depth, None, Segmentation(labels, {}, ()))


def receive(endpoint: str, pipe: Any) -> None:
    """The subscriber's process: take messages as fast as they come, say of each that it came."""
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.rcvhwm = IN_FLIGHT
    socket.linger = 0
    socket.subscribe(TOPIC)
    socket.connect(endpoint)
    while len(socket.recv_multipart(copy=False)) > 1:
        pipe.send(None)


class Loop:
    """A way to send, its subscriber, and how far that is."""

    def __init__(
        self, endpoint: str, send: Callable[[int], None], settle: Callable[[], object] | None = None
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, end = spawn.Pipe()
        self._process = spawn.Process(target=receive, args=(endpoint, end), daemon=True)
        self._process.start()
        self._send = send
        self._settle = settle
        self._sent = self._received = 0

    def burst(self, count: int) -> tuple[float, float]:
        """Send so many messages; messages per second until all have arrived, and are settled."""
        began = time.perf_counter()
        for _ in range(count):
            self._wait(self._sent - IN_FLIGHT + 1)
            self._send(self._sent)
            self._sent += 1
        self._wait(self._sent)
        arrived = time.perf_counter() - began
        if self._settle is not None:
            self._settle()
        return count / arrived, count / (time.perf_counter() - began)

    def end(self) -> None:
        """End the subscriber."""
        self._process.terminate()
        self._process.join()

    def _wait(self, number: int) -> None:
        while self._received < number:
            self._pipe.recv()
            self._received += 1


@contextlib.contextmanager
def bare(items: list[Inspection]) -> Iterator[Loop]:
    """What pyzmq does alone: the arrays as they are, a small header."""
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.sndhwm = 2 * IN_FLIGHT
    socket.bind(FREE)
    header = bytes(1000)
    messages = [encode(item, Kind.INSPECTION, Stamp(CAMERA, "", 0, 0)) for item in items]
    arrays = [message[2:] for message in messages if message is not None]

    def send(number: int) -> None:
        socket.send_multipart([TOPIC, header, *arrays[number % len(arrays)]], copy=False)

    loop = Loop(socket.getsockopt_string(zmq.LAST_ENDPOINT), send)
    socket.recv()  # the subscription
    yield loop
    loop.end()
    context.destroy(linger=0)


@contextlib.contextmanager
def ours(items: list[Inspection], nbytes: int, journal: Journal | None) -> Iterator[Loop]:
    """The publisher, as the pipeline's last stage uses it."""
    publisher = Publisher(
        FREE,
        [CAMERA],
        memory_mb=64 * nbytes // MB,
        linger_s=0,
        message_bytes=nbytes,
        control=FREE,
        status=FREE,
        journal=journal,
    )

    def send(number: int) -> None:
        stamp = Stamp(CAMERA, publisher.epoch, number, time.time_ns())
        message = encode(items[number % len(items)], Kind.INSPECTION, stamp)
        publisher.send(Outgoing([] if message is None else [message], stamp=stamp))

    publisher.start()
    loop = Loop(publisher.endpoint, send, None if journal is None else journal.sync)
    while not publisher.wants(TOPIC):
        time.sleep(0.001)
    yield loop
    loop.end()
    publisher.close()
    if journal is not None and (missing := journal.health().missing):
        raise SystemExit(f"{missing} messages are missing in the journal: no figures from that")


def disk(path: Path, count: int, nbytes: int) -> float:
    """Messages per second of a file that is synced at the end."""
    data = memoryview(np.random.default_rng(0).bytes(nbytes))
    handle, end = create(path, b"header")
    began = time.perf_counter()
    for _ in range(count):
        end.put(data)
        end.flush()
    os.fdatasync(handle)
    took = time.perf_counter() - began
    os.close(handle)
    path.unlink()
    return count / took


def measure(folder: Path, nbytes: int, rounds: int, count: int) -> list[dict[str, float]]:
    """MB/s of each loop, in each round."""
    items = [inspection(index, nbytes) for index in range(4)]
    section = JournalSection(enabled=True, folder=folder / "journal", max_gb=2)
    results = []
    with (
        bare(items) as first,
        ours(items, nbytes, None) as second,
        ours(items, nbytes, Keeping(section)) as third,
    ):
        loops = {"bare": first, "publisher": second, "journal": third}
        for loop in loops.values():
            loop.burst(2 * IN_FLIGHT)
        for number in range(rounds):
            bursts = {name: loop.burst(count) for name, loop in loops.items()}
            rates = {name: arrived * nbytes / 1e6 for name, (arrived, _) in bursts.items()}
            rates["synced"] = bursts["journal"][1] * nbytes / 1e6
            rates["disk"] = disk(folder / "plain", count, nbytes) * nbytes / 1e6
            results.append(rates)
            shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
            print(f"round {number + 1}, MB/s: {shown}", flush=True)
    return results


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--count", type=int, default=24, help="messages in each burst")
    parser.add_argument("--mb", type=float, default=8.0, help="size of the arrays of a message")
    parser.add_argument("--folder", type=Path, help="where the journal lies meanwhile")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        rounds = measure(Path(folder), round(given.mb * MB), given.rounds, given.count)
    result = {
        "message_mb": given.mb,
        "cores": os.cpu_count(),
        "rounds_mb_s": rounds,
        "ratio": {
            name: statistics.median(rates[name] / rates["bare"] for rates in rounds)
            for name in ("publisher", "journal", "synced", "disk")
        },
    }
    for name in ("disk", "synced"):
        print(f"{name}: {result['ratio'][name]:.2f} of the bare loop")
    for name, target in (("publisher", 0.9), ("journal", 0.6)):
        print(f"{name}: {result['ratio'][name]:.2f} of the bare loop (target {target})")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

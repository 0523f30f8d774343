"""The example programs of docs/examples print the truth about the conformance vectors."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from linescan.config import PublishSection
from linescan.ledger import Ledger
from linescan.protocol import Kind, topic
from linescan.publishing import Publish
from tests.docs.pages import ROOT
from tests.protocol.samples import inspection
from tests.protocol.vectors import DATA, Loaded

FOLDER = ROOT / "docs" / "examples"
HEADERS = ("nlohmann/json.hpp", "zmq_addon.hpp")
KINDS = [str(kind) for kind in Kind if kind is not Kind.EVENT]
LINES = 40

MESSAGE = re.compile(r'"?([^" ]+)"? ?(\d+) (\d+)')
PART = re.compile(r'  "?(\w+)"? ?\[?(\d+)[x,](\d+)\]? from (\S+) to (\S+)')

Command = list[str]


@pytest.fixture(scope="module")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The C++ example, compiled."""
    compiler = shutil.which("g++")
    if not compiler or not all(Path("/usr/include", header).exists() for header in HEADERS):
        pytest.skip("needs g++, cppzmq-dev and nlohmann-json3-dev")
    program = tmp_path_factory.mktemp("cpp") / "subscribe"
    source = FOLDER / "subscribe.cpp"
    options = ["-std=c++17", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *options, source, "-lzmq", "-o", program], check=True)
    return [str(program)]


@pytest.fixture
def command(request: pytest.FixtureRequest) -> Command:
    if request.param == "C++":
        command: Command = request.getfixturevalue("cpp")
        return command
    return [sys.executable, str(FOLDER / "subscribe.py")]


both = pytest.mark.parametrize("command", ["Python", "C++"], indirect=True)


@contextlib.contextmanager
def running(command: Command, endpoint: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*command, endpoint, "web-1", *KINDS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def sender() -> Iterator[tuple[zmq.Socket[Any], str]]:
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.linger = 5000
        socket.rcvtimeo = 20_000
        yield socket, f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"


def wait_for(socket: zmq.Socket[Any]) -> None:
    """Until a program has subscribed to everything; events come last."""
    while socket.recv() != b"\x01" + topic("web-1", Kind.EVENT):
        pass


def expected(vector: Loaded) -> list[tuple[str, ...]]:
    header = vector.truth["json"]
    lines: list[tuple[str, ...]] = [
        (header["type"], str(header["seq"]), str(len(header.get("objects", []))))
    ]
    for part in header["parts"]:
        if part["encoding"] == "raw":
            rows = vector.truth["arrays"][part["name"]]
            known = [value for row in rows for value in row if value is not None]
            low, high = min(known, default=float("inf")), max(known, default=float("-inf"))
            lines.append((part["name"], *map(str, part["shape"]), f"{low:g}", f"{high:g}"))
    return lines


def printed(output: str) -> list[tuple[str, ...]]:
    found = []
    for line in output.splitlines():
        match = MESSAGE.fullmatch(line) or PART.fullmatch(line)
        assert match, line
        found.append(match.groups())
    return found


@both
def test_an_example_reads_every_vector(command: Command) -> None:
    vectors = sorted(DATA, key=lambda vector: vector.truth["json"]["type"] == "end")
    with sender() as (socket, endpoint), running(command, endpoint) as process:
        wait_for(socket)
        for vector in vectors:
            socket.send_multipart(vector.frames)
        output, errors = process.communicate(timeout=30)
    assert not errors
    assert process.returncode == 0
    assert printed(output) == [line for vector in vectors for line in expected(vector)]
    assert len(printed(output)) > 2 * len(KINDS)


@both
def test_an_example_refuses_a_damaged_message(command: Command) -> None:
    damaged = next(vector for vector in DATA if vector.name == "depth.f32")
    with sender() as (socket, endpoint), running(command, endpoint) as process:
        wait_for(socket)
        socket.send_multipart([*damaged.frames[:-1], damaged.frames[-1][:-1]])
        _, errors = process.communicate(timeout=30)
    assert "damaged message" in errors
    assert process.returncode


@both
def test_an_example_reads_a_publisher(command: Command) -> None:
    stage = Publish(PublishSection(data="tcp://127.0.0.1:*", linger_s=1), "web-1", Ledger())
    stage.setup()
    with running(command, stage.publisher.endpoint) as process:
        stage.publisher.wait_for_subscribers(1, 20)
        list(stage.process(inspection()))
        list(stage.finish())
        stage.teardown()
        output, _ = process.communicate(timeout=30)
    kinds = [line[0] for line in printed(output) if len(line) == 3]
    assert sorted(kinds) == sorted([*KINDS, "end"])
    assert process.returncode == 0


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES

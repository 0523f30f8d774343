"""Ctrl-C, a reader of a pipe that leaves, a stream that breaks off: quiet, with what is known."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.conftest import FRAMES_ONLY, SILENT, Result, Start

AT_IMPORT = """
import runpy, signal, sys

module = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            {act}

sys.meta_path.insert(0, Finder())
runpy.run_module("linescan", run_name="__main__", alter_sys=True)
"""
INTERRUPT = AT_IMPORT.format(act="signal.raise_signal(signal.SIGINT)")
INTERRUPT_MADE_AN_ERROR = AT_IMPORT.format(  # as modules in C do
    act="""
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise ImportError("initialization failed") from None
"""
)
BROKEN = AT_IMPORT.format(  # each time: an engine that was remembered is tried twice
    act="""
            sys.meta_path.insert(0, self)
            raise ImportError("initialization failed")
"""
)
ON_ONNX_RUNTIME = ("--set", "depth.backend=cpu")
"""A choice that was remembered may load another engine alone."""
NOTING_AUDITOR = """
from linescan.cli import main
from linescan.client import StreamAudit

given = StreamAudit.feed

def feed(self, message):
    given(self, message)
    print("fed", flush=True)

StreamAudit.feed = feed
main()
"""


def assert_interrupted(result: Result) -> None:
    assert result.code == 130, result.err
    last = result.err.splitlines()[-1]
    # Once the pipeline has begun, it ends itself, with its account.
    assert last == "interrupted" or last.endswith(
        "SIGINT: 0 lines captured, 0 published, lost: none: balanced"
    )
    assert "Traceback" not in result.err
    assert "error" not in result.err


@pytest.mark.parametrize("module", ["linescan.cli", "typer", "linescan.client", "numpy"])
def test_ctrl_c_while_the_program_is_imported(start: Start, module: str) -> None:
    assert_interrupted(Result(start(module, "--version", script=INTERRUPT)))


@pytest.mark.parametrize("module", ["pydantic", "linescan.pipeline.runner", "onnxruntime"])
def test_ctrl_c_while_a_command_is_imported(start: Start, recording: Path, module: str) -> None:
    arguments = ("replay", recording, *SILENT, *ON_ONNX_RUNTIME)
    assert_interrupted(Result(start(module, *arguments, script=INTERRUPT)))


def test_ctrl_c_that_a_module_makes_another_error_of(start: Start, recording: Path) -> None:
    arguments = ("onnxruntime", "replay", recording, *SILENT, *ON_ONNX_RUNTIME)
    assert_interrupted(Result(start(*arguments, script=INTERRUPT_MADE_AN_ERROR)))
    broken = Result(start(*arguments, script=BROKEN))
    assert broken.code == 2
    assert "depth needs ONNX Runtime" in broken.err, "without Ctrl-C it stays an error"


def test_ctrl_c_in_simulate(start: Start, tmp_path: Path) -> None:
    simulation = start("simulate", "--out", tmp_path / "web", "--lines", "100000000")
    while not (tmp_path / "web").exists():
        assert simulation.poll() is None
    simulation.send_signal(signal.SIGINT)
    assert_interrupted(Result(simulation))


def test_a_reader_that_leaves_ends_subscribe_quietly(
    start: Start, recording: Path, endpoint: str
) -> None:
    subscriber = start("subscribe", endpoint)
    pipeline = start(
        *("replay", recording, *FRAMES_ONLY, "--loop", "--rate", "20000"),
        *("--wait-subscribers", "1", "--set", f"publish.data={endpoint}"),
    )
    assert subscriber.stdout is not None
    assert "start" in subscriber.stdout.readline()
    subscriber.stdout.close()
    assert subscriber.wait(40) == 130
    assert subscriber.stderr is not None
    assert subscriber.stderr.read() == ""
    pipeline.send_signal(signal.SIGINT)
    assert Result(pipeline).code == 130


@pytest.mark.parametrize(("killed", "code"), [(True, 1), (False, 130)])
def test_verify_tells_what_came_before_the_stream_broke_off(
    start: Start, recording: Path, endpoint: str, killed: bool, code: int
) -> None:
    pipeline = start(
        *("replay", recording, *FRAMES_ONLY, "--loop", "--rate", "20000"),
        *("--wait-subscribers", "1", "--set", f"publish.data={endpoint}"),
    )
    assert pipeline.stderr is not None
    while "waiting for 1" not in pipeline.stderr.readline():
        assert pipeline.poll() is None
    auditor = start("verify", endpoint, "--timeout", "3", script=NOTING_AUDITOR)
    assert auditor.stdout is not None
    assert auditor.stdout.readline() == "fed\n"
    if killed:
        pipeline.kill()
    else:
        auditor.send_signal(signal.SIGINT)
    result = Result(auditor)
    assert result.code == code, result.err
    assert "NOT proven: unknown lines captured" in result.out
    assert "no end event came: lines after" in result.err
    assert ("nothing comes from" in result.err) == killed
    assert "Traceback" not in result.err


def test_verify_of_a_stream_that_never_comes(start: Start, endpoint: str) -> None:
    result = Result(start("verify", endpoint, "--timeout", "0.5"))
    assert result.code == 2
    assert f"error: no publisher answers at {endpoint}" in result.err

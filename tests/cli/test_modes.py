"""``linescan subscribe`` in its modes, beside a pipeline with a journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.client.journalled import Order, journalled

Run = Callable[..., Result]


def test_complete_goes_on_where_it_ended(linescan: Run, tmp_path: Path) -> None:
    with journalled(Order(str(tmp_path / "journal"))) as line:
        line.tell("frame 6", "end")
        common = ("subscribe", line.order.data, "--mode", "complete", "--timeout", "20")
        first = linescan(*common, "--name", "qc-1", "--json", "--count", "4")
        assert first.code == 0
        assert "4 messages; 0 missed, 0 malformed, 4 from the journal" in first.err
        second = linescan(*common, "--name", "qc-1", "--json", "--save", tmp_path / "pictures")
        assert second.code == 0
        given = [json.loads(text) for text in (first.out + second.out).splitlines()]
        assert [(h["type"], h["seq"]) for h in given] == [
            ("start", 0), *(("inspection", n) for n in range(6)), ("end", 1),
        ]  # fmt: skip
        pictures = sorted(p.name for p in (tmp_path / "pictures").glob("*_depth.png"))
        assert pictures == [f"web-1_{n:06d}_depth.png" for n in (3, 4, 5)]
        again = linescan(*common, "--since", "oldest", "--kind", "event")
        assert [line.split()[2].rstrip(":") for line in again.out.splitlines()] == ["start", "end"]


def test_objects_and_live(linescan: Run, tmp_path: Path) -> None:
    with journalled(Order(str(tmp_path / "journal"))) as line:
        line.send("wait 1")
        line.send("frame 200 0.01")
        common = ("subscribe", line.order.data, "--timeout", "20", "--camera", "web-1")
        objects = linescan(*common, "--mode", "objects", "--count", "3", "--json")
        assert objects.code == 0
        given = [json.loads(text) for text in objects.out.splitlines()]
        assert {header["type"] for header in given} == {"objects"}
        assert given[0]["parts"] == []
    with journalled(Order(str(tmp_path / "journal"))) as line:
        line.send("wait 1")
        line.send("frame 200 0.001")
        common = ("subscribe", line.order.data, "--timeout", "20", "--camera", "web-1")
        live = linescan(*common, "--mode", "live", "--kind", "inspection", "--count", "2")
        assert live.code == 0
        assert "skipped" in live.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--since", "oldest"], "since is for mode complete alone, and this is mode stream"),
        (["--mode", "live", "--status", "tcp://127.0.0.1:1"], "status is for mode complete alone"),
        (["--control", "tcp://127.0.0.1:1"], "give a name too, or leave control out"),
        (["--timeout", "1e9"], "should be less than or equal to"),
    ],
)
def test_options_without_effect_are_refused(
    linescan: Run, options: list[str], complaint: str
) -> None:
    result = linescan("subscribe", *options)
    assert result.code == 2
    assert complaint in " ".join(result.err.split())


def test_the_patience_of_verify_is_bounded(linescan: Run) -> None:
    result = linescan("verify", "tcp://127.0.0.1:9", "--timeout", "1e9")
    assert result.code == 2
    assert "less than or equal to" in result.err


def test_complete_needs_a_name(linescan: Run) -> None:
    result = linescan("subscribe", "--mode", "complete")
    assert result.code == 2
    assert "mode complete needs a name to acknowledge under" in result.err

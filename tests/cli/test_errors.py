"""What users get wrong ends in one clear sentence and the right exit code, never in a traceback."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linescan.recording import Recording, RecordingWriter
from tests.cli.conftest import FRAMES_ONLY, SILENT, Result, Start

Run = Callable[..., Result]


def sentence(result: Result) -> str:
    """The one sentence that a failed command ends with."""
    assert result.code == 2, result.err
    assert "Traceback" not in result.err
    (line,) = [line for line in result.err.splitlines() if line.startswith("error: ")]
    return line


@pytest.fixture
def broken(recording: Path, tmp_path: Path) -> Path:
    """The recording in files of 400 lines, the second of them cut short."""
    given, path = Recording.open(recording), tmp_path / "broken"
    with RecordingWriter(path, given.header, file_bytes=400 * given.header.width) as writer:
        for item in given.blocks():
            writer.append(item)
    block = path / "blocks" / "000001.npy"
    block.write_bytes(block.read_bytes()[:-1000])
    return path


def test_a_wrong_key_is_named_with_its_line(linescan: Run, tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text("source:\n  type: simulated\nframe:\n  linse: 7\n")
    message = sentence(linescan("run", config))
    assert f"{config}:4: unknown key 'frame.linse'; did you mean 'lines'?" in message


def test_a_truncated_block_is_named(linescan: Run, broken: Path) -> None:
    message = sentence(linescan("replay", broken, *FRAMES_ONLY, *SILENT))
    assert "000001.npy" in message
    assert "truncated" in message


def test_a_truncated_block_is_counted_with_skip_bad(
    linescan: Run, broken: Path, tmp_path: Path
) -> None:
    summary = tmp_path / "end.json"
    arguments = ("replay", broken, *FRAMES_ONLY, *SILENT, "--skip-bad", "--summary", summary)
    result = linescan(*arguments)
    assert result.code == 0, result.err
    account = json.loads(summary.read_text())["ledger"]
    assert account["balanced"]
    assert account["captured"] == 1200
    assert account["lost"] == {"bad_block": 256}


def test_a_recording_is_not_recorded_over_itself(linescan: Run, broken: Path) -> None:
    before = sorted(p.name for p in broken.rglob("*"))
    message = sentence(linescan("record", broken, "--out", broken, "--overwrite"))
    assert "this is what is to be recorded" in message
    assert sorted(p.name for p in broken.rglob("*")) == before


def test_a_recording_that_ends_in_an_error_says_that_it_is_not_complete(
    linescan: Run, tmp_path: Path
) -> None:
    import cv2

    for k in (1, 2):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((40, 64), k, np.uint8))
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[:-20])
    out = tmp_path / "scan"
    assert "2.png" in sentence(linescan("record", tmp_path, "--out", out))
    header = Recording.open(out).header
    assert (header.complete, header.lines, header.lost) == (False, 40, 40)


def test_an_unreadable_image_is_named(linescan: Run, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 64), 9, np.uint8))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    message = sentence(linescan("replay", tmp_path, *FRAMES_ONLY, *SILENT))
    assert "b.png" in message
    summary = tmp_path / "end.json"
    arguments = ("replay", tmp_path, *FRAMES_ONLY, *SILENT, "--skip-bad", "--summary", summary)
    assert linescan(*arguments).code == 0
    account = json.loads(summary.read_text())["ledger"]
    assert account["published"] == 40
    assert account["lost"]["bad_block"] == account["estimated"] == 40


def test_a_port_in_use_is_named(linescan: Run, recording: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        arguments = ("replay", recording, *FRAMES_ONLY, "--set", f"publish.data={endpoint}")
        message = sentence(linescan(*arguments))
    assert endpoint in message
    assert "taken by another program" in message


def test_a_missing_model_says_how_to_get_it(
    linescan: Run, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESCAN_MODELS", str(tmp_path))
    message = sentence(linescan("replay", recording, "--set", "depth.model=small", *SILENT))
    assert "linescan model export small" in message


def test_a_broken_model_file_is_named(linescan: Run, recording: Path, tmp_path: Path) -> None:
    model = tmp_path / "half.onnx"
    model.write_bytes(b"\x08\x07rubbish")
    message = sentence(linescan("replay", recording, "--set", f"depth.model={model}", *SILENT))
    assert str(model) in message


def test_a_backend_that_cannot_load_is_no_fallback(linescan: Run, recording: Path) -> None:
    message = sentence(linescan("replay", recording, "--set", "depth.backend=cuda", *SILENT))
    assert "cuda" in message


def test_subscribers_that_do_not_come_are_missed(linescan: Run, recording: Path) -> None:
    result = linescan(
        *("replay", recording, *FRAMES_ONLY, "--wait-subscribers", "2"),
        *("--set", "publish.wait_s=0.5", "--set", "publish.data=tcp://127.0.0.1:*"),
    )
    assert "2 subscribers" in sentence(result) or "of 2" in sentence(result)


def test_a_publisher_that_is_not_there_is_named(linescan: Run, endpoint: str) -> None:
    assert endpoint in sentence(linescan("subscribe", endpoint, "--timeout", "0.5"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay", "nowhere"), "nowhere"),
        (("run", "nowhere.yaml"), "nowhere.yaml"),
        (("record", "nowhere", "--out", "x"), "nowhere"),
        (("verify", "nowhere.json"), "nowhere.json"),
        (("model", "export", "./nowhere"), "nowhere"),
        (("model", "export", "base"), "CC-BY-NC"),
        (("simulate", "--out", "x", "--preset", "moon"), "moon"),
        (("subscribe", "--kind", "smell"), "smell"),
        (("subscribe", "carrier-pigeon://x"), "carrier-pigeon"),
    ],
)
def test_what_is_not_there_is_named(
    linescan: Run, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    assert words in sentence(linescan(*arguments))


def test_a_rate_that_is_none_is_refused(linescan: Run, recording: Path) -> None:
    result = linescan("replay", recording, "--rate", "fast")
    assert result.code == 2
    assert "expected lines per second" in result.err


def test_a_summary_that_has_no_folder_is_refused_before_the_run(
    linescan: Run, recording: Path, tmp_path: Path
) -> None:
    summary = tmp_path / "no" / "folder.json"
    result = linescan("replay", recording, *FRAMES_ONLY, *SILENT, "--summary", summary)
    assert str(summary) in sentence(result)
    assert "captured" not in result.err


def test_a_summary_on_a_full_disk_is_named_and_the_account_still_told(
    linescan: Run, recording: Path
) -> None:
    result = linescan("replay", recording, *FRAMES_ONLY, *SILENT, "--summary", "/dev/full")
    assert "/dev/full" in sentence(result)
    assert "1200 lines captured, 1200 published" in result.err


def test_when_nothing_is_published_the_run_has_failed(linescan: Run, recording: Path) -> None:
    result = linescan(
        *("replay", recording, *FRAMES_ONLY, *SILENT),
        *("--lines", "100", "--set", "frame.last=drop"),
    )
    assert result.code == 1
    assert "nothing was published: all 100 lines were lost" in result.err


def test_pictures_that_cannot_be_written_do_not_disturb_the_pipeline(
    start: Start, recording: Path, endpoint: str, tmp_path: Path
) -> None:
    target = tmp_path / "file-not-folder"
    target.write_text("in the way")
    subscriber = start("subscribe", endpoint, "--save", target, "--timeout", "40")
    pipeline = start(
        *("replay", recording, "--set", "depth.backend=cpu", "--wait-subscribers", "1"),
        *("--set", f"publish.data={endpoint}", "--lines", "600"),
    )
    assert str(target) in sentence(Result(subscriber))
    assert Result(pipeline).code == 0

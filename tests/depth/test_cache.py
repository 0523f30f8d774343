from __future__ import annotations

import json
import math
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from linescan.depth.cache import Cache, cache_folder

KEY = {"model": "abc", "size": [28, 42]}


def age(path: Path, seconds: int) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_the_folder_is_the_users_unless_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESCAN_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == Cache().folder == tmp_path / "mine"
    monkeypatch.delenv("LINESCAN_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_folder() == tmp_path / "user" / "linescan"
    assert Cache(tmp_path).folder == tmp_path


def test_a_choice_is_remembered_for_its_key(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new")
    assert cache.recall(KEY) is None
    assert not cache.folder.exists()
    cache.remember(KEY, {"ranked": ["a"]})
    assert Cache(tmp_path / "new").recall(KEY) == {"ranked": ["a"]}
    assert cache.recall({**KEY, "size": [42, 42]}) is None
    cache.remember(KEY, {"ranked": ["b"]})
    assert cache.recall(KEY) == {"ranked": ["b"]}
    assert [path.suffix for path in (cache.folder / "choices").iterdir()] == [".json"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"key": 1, "choice": {}}', "\x00\xff", '{"key": null}']
)
def test_a_broken_choice_is_no_choice(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path)
    cache.remember(KEY, {"ranked": ["a"]})
    (path,) = (tmp_path / "choices").iterdir()
    path.write_text(content, encoding="latin-1")
    assert cache.recall(KEY) is None
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    assert "measuring again" in record.getMessage()
    cache.remember(KEY, {"ranked": ["b"]})
    assert cache.recall(KEY) == {"ranked": ["b"]}


@pytest.mark.parametrize(("days", "kept"), [(29, True), (31, False), (-1, False)])
def test_a_choice_holds_for_thirty_days(tmp_path: Path, days: int, kept: bool) -> None:
    cache = Cache(tmp_path)
    cache.remember(KEY, {"ranked": ["a"]})
    (path,) = (tmp_path / "choices").iterdir()
    entry = json.loads(path.read_text())
    made = datetime.fromisoformat(entry["date"]) - timedelta(days=days)
    path.write_text(json.dumps({**entry, "date": made.isoformat()}))
    for _ in range(2):  # that it is used does not make it younger
        assert cache.recall(KEY) == ({"ranked": ["a"]} if kept else None)


def test_the_number_of_choices_is_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_choices=3)
    for number in range(3):
        cache.remember({"n": number}, {"is": number})
        for path in (tmp_path / "choices").iterdir():
            age(path, 10)
    assert cache.recall({"n": 0}) == {"is": 0}  # used: now the newest
    cache.remember({"n": 3}, {"is": 3})
    assert len(list((tmp_path / "choices").iterdir())) == 3
    kept = [number for number in range(4) if cache.recall({"n": number})]
    assert kept == [0, 2, 3]


@pytest.mark.parametrize(("engines", "nbytes", "left"), [(2, 10_000, 2), (9, 250, 2), (9, 10, 1)])
def test_built_engines_are_bounded_in_number_and_bytes(
    tmp_path: Path, engines: int, nbytes: int, left: int
) -> None:
    cache = Cache(tmp_path, max_engines=engines, max_engine_bytes=nbytes)
    folders: list[Path] = []
    for number in range(4):
        folder = cache.engine_folder({"n": number})
        folder.mkdir(parents=True)
        (folder / "x.engine").write_bytes(bytes(100))
        for earlier in folders:
            age(earlier, 10)
        folders.append(folder)
    cache.used(folders[3])
    assert [folder.exists() for folder in folders] == [n >= 4 - left for n in range(4)]


def test_a_folder_that_cannot_be_written_is_said_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    cache = Cache(file)
    assert cache.recall(KEY) is None
    cache.remember(KEY, {"ranked": []})
    cache.used(cache.engine_folder(KEY))
    cache.discard(cache.engine_folder(KEY))
    assert "the choice of engine is not remembered" in caplog.text


def test_strange_entries_among_the_choices_are_left_alone(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_choices=2)
    choices = tmp_path / "choices"
    for number in range(4):
        (choices / f"folder{number}").mkdir(parents=True)
        (choices / f"folder{number}.json").mkdir()
    (choices / "note.txt").write_text("mine")
    for number in range(3):
        cache.remember({"n": number}, {"is": number})
    assert cache.recall({"n": 2}) == {"is": 2}
    assert len(list(choices.glob("folder*"))) == 8
    assert (choices / "note.txt").exists()


def test_a_choice_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path)
    cache.remember(KEY, {"ranked": ["a"]})
    (path,) = (tmp_path / "choices").iterdir()
    path.unlink()
    path.mkdir()  # no file can take its place
    cache.remember(KEY, {"ranked": ["b"]})
    assert list((tmp_path / "choices").iterdir()) == [path]
    assert "the choice of engine is not remembered" in caplog.text


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / "choices").mkdir()
    old, new = (tmp_path / "choices" / f"{name}.part" for name in ("old", "new"))
    old.write_text("half")
    new.write_text("half")
    age(old, 7200)
    cache.remember(KEY, {})
    assert not old.exists()
    assert new.exists()  # another process may be writing it


def test_engines_that_vanish_meanwhile_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process prunes the same cache, at the worst moment."""
    cache = Cache(tmp_path, max_engines=1)
    folders = [cache.engine_folder({"n": number}) for number in range(3)]
    for folder in folders:
        (folder / "deep").mkdir(parents=True)
        (folder / "x.engine").write_bytes(bytes(100))
        (folder / "deep" / "y.engine").write_bytes(bytes(100))
    lstat = Path.lstat

    def prune(path: Path) -> os.stat_result:
        if path.suffix == ".engine":
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", prune)
    cache.used(folders[2])
    assert not any(folder.exists() for folder in folders)


def test_the_mark_of_an_engine_keeps_its_worst_deviation_and_goes_with_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    folder = cache.engine_folder(KEY)
    cache.mark_passed(folder, 0.01)  # nothing is kept there
    assert not folder.exists()
    assert cache.passed(folder) == math.inf
    folder.mkdir(parents=True)
    for deviation, worst in ((0.01, 0.01), (0.02, 0.02), (0.005, 0.02)):
        cache.mark_passed(folder, deviation)
        assert cache.passed(folder) == worst
    (mark,) = folder.iterdir()
    mark.write_text("[]")
    assert cache.passed(folder) == math.inf
    cache.mark_passed(folder, 0.01)
    cache.discard(folder)
    assert cache.passed(folder) == math.inf

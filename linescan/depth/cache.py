"""The folder of what was measured and built once: choices of engine, and compiled models.

Nothing here may stop a start: what cannot be read is measured again, what cannot be written is said
once. Both kinds are bounded; the oldest go first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

MAX_CHOICES = 64
MAX_AGE = timedelta(days=30)
"""Of a choice: it may have been made while the machine was busy."""
MAX_ENGINES = 32
MAX_ENGINE_BYTES = 8 << 30
STALE_S = 3600.0
"""A file that is still being written after this time was left behind."""
MARK = "passed.json"
"""In the folder of a built engine: it passed the gate."""

Key = Mapping[str, Any]
"""What an entry depends on; JSON values."""


def cache_folder() -> Path:
    """Where to keep things: ``LINESCAN_CACHE``, else the user's cache folder."""
    if given := os.environ.get("LINESCAN_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        return local / "linescan" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "linescan"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linescan"


class Cache:
    """Remembered choices, one JSON file each, and one folder for each built engine.

    Several processes may share it: a file is written whole or not at all.

    Args:
        folder: made when something is written; the user's where None.
        max_choices: most choices that are kept.
        max_engines: most built engines that are kept.
        max_engine_bytes: most bytes of built engines that are kept, the newest one apart.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        max_choices: int = MAX_CHOICES,
        max_engines: int = MAX_ENGINES,
        max_engine_bytes: int = MAX_ENGINE_BYTES,
    ) -> None:
        self.folder = folder or cache_folder()
        self._choices = self.folder / "choices"
        self._engines = self.folder / "engines"
        self._max_choices = max_choices
        self._max_engines = max_engines
        self._max_engine_bytes = max_engine_bytes

    def recall(self, key: Key) -> dict[str, Any] | None:
        """What was remembered for a key; None where nothing was, or nothing that can be read."""
        path = self._choice(key)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            if entry["key"] != _plain(key):
                raise ValueError("it belongs to something else")
            made = datetime.fromisoformat(entry["date"])
            if not timedelta() <= datetime.now(UTC) - made <= MAX_AGE:
                log.info("%s: made on %s: measuring again", path, made.date())
                return None
            choice = entry["choice"]
            if not isinstance(choice, dict):
                raise TypeError("no choice in it")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("%s: cannot be used (%s): measuring again", path, error)
            return None
        _touch(path)
        return choice

    def remember(self, key: Key, choice: Mapping[str, Any]) -> None:
        """Keep a choice for a key."""
        path = self._choice(key)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"key": key, "date": date, "choice": choice}
        text = json.dumps(entry, indent=1, sort_keys=True) + "\n"
        try:
            self._choices.mkdir(parents=True, exist_ok=True)
            _write_whole(path, text)
        except OSError as error:
            log.warning("the choice of engine is not remembered: %s", error)
            return
        for old in _newest_first(self._choices, "*.json")[self._max_choices :]:
            _unlink(old)
        limit = time.time() - STALE_S
        for part in _newest_first(self._choices, "*.part"):  # of a process that was killed
            if _modified(part) < limit:
                _unlink(part)

    def engine_folder(self, key: Key) -> Path:
        """The folder of a built engine, whether or not it is there."""
        return self._engines / _digest(key)

    def discard(self, engine_folder: Path) -> None:
        """Remove a built engine."""
        shutil.rmtree(engine_folder, ignore_errors=True)

    def passed(self, engine_folder: Path) -> float:
        """The worst deviation that a built engine passed the gate with; infinite if it never did.

        The mark lies with what was built, and goes with it.
        """
        try:
            return float(
                json.loads((engine_folder / MARK).read_text(encoding="utf-8"))["deviation"]
            )
        except (OSError, ValueError, TypeError, KeyError):
            return math.inf

    def mark_passed(self, engine_folder: Path, deviation: float) -> None:
        """Note that a built engine passed the gate; nothing where nothing was kept."""
        before = self.passed(engine_folder)
        if math.isfinite(before) and before >= deviation:
            return
        try:
            if engine_folder.is_dir():
                _write_whole(engine_folder / MARK, json.dumps({"deviation": deviation}) + "\n")
        except OSError as error:
            log.debug("%s: not marked: %s", engine_folder, error)

    def used(self, engine_folder: Path) -> None:
        """Remove the engines used longest ago, this one being the newest, beyond the bounds."""
        _touch(engine_folder)
        total = 0
        for index, folder in enumerate(_newest_first(self._engines)):
            total += _size(folder)
            if index and (index >= self._max_engines or total > self._max_engine_bytes):
                log.info("removing the built engine %s", folder)
                shutil.rmtree(folder, ignore_errors=True)

    def _choice(self, key: Key) -> Path:
        return self._choices / f"{_digest(key)}.json"


def _plain(key: Key) -> Any:
    return json.loads(json.dumps(key))


def _digest(key: Key) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]


def _newest_first(folder: Path, pattern: str = "*") -> list[Path]:
    """Other processes may remove entries meanwhile: those count as the oldest."""
    try:
        entries = [(_modified(path), path) for path in folder.glob(pattern)]
    except OSError:
        return []
    return [path for _, path in sorted(entries, reverse=True)]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _write_whole(path: Path, text: str) -> None:
    """Write a file at once, also for those who read it meanwhile; raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        part.replace(path)
    finally:
        _unlink(part)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.debug("%s: %s", path, error)


def _touch(path: Path) -> None:
    """Make it the one used last."""
    try:
        os.utime(path)
    except OSError as error:
        log.debug("%s: %s", path, error)


def _size(folder: Path) -> int:
    """Bytes in a folder; what another process removes meanwhile counts as nothing."""
    total = 0
    for place, _, names in os.walk(folder):  # passes over what it cannot list
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:
                continue
    return total

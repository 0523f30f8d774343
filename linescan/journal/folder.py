"""Where the files of a journal lie, and the lock that keeps a second writer out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from linescan.errors import JournalError

_SEGMENT: Final = re.compile(r"([0-9]{10})\.segment")


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths within a journal's folder."""

    path: Path

    @property
    def segments(self) -> Path:
        """The folder of segment files."""
        return self.path / "segments"

    @property
    def index(self) -> Path:
        """The SQLite index; may be deleted at any time."""
        return self.path / "index.sqlite"

    @property
    def acknowledgements(self) -> Path:
        """The folder with a file for each subscriber that acknowledges."""
        return self.path / "acknowledgements"

    @property
    def pruned(self) -> Path:
        """The file that says up to where streams were pruned."""
        return self.path / "pruned.json"

    @property
    def spool(self) -> Path:
        """The file that names the memory in which messages wait; gone when none do."""
        return self.path / "spool"

    @property
    def lock(self) -> Path:
        """The file that the writer holds locked."""
        return self.path / "lock"

    def segment(self, number: int) -> Path:
        """A segment file."""
        return self.segments / f"{number:010d}.segment"

    def numbers(self) -> list[int]:
        """Numbers of all segment files there are, ascending."""
        try:
            names = [path.name for path in self.segments.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(m.group(1)) for name in names if (m := _SEGMENT.fullmatch(name)))

    def size(self, number: int) -> int:
        """Size of a segment file in bytes; 0 where it is gone, pruned meanwhile."""
        try:
            return self.segment(number).stat().st_size
        except FileNotFoundError:
            return 0

    def check(self) -> None:
        """Make sure that there is a journal.

        Raises:
            JournalError: there is none, or it cannot be read.
        """
        try:
            next(self.segments.iterdir(), None)
        except OSError as error:
            raise JournalError(
                f"{self.path}: no journal can be read there: {error.strerror}; give the folder that"
                f" journal.folder names in the pipeline's configuration"
            ) from error


@contextlib.contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A file's handle, closed at the end."""
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def lock_folder(folder: Folder) -> int:
    """Lock a journal for its one writer; closing the handle, or the process's end, unlocks it.

    Raises:
        JournalError: another writer has it.
    """
    handle = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise JournalError(
            f"{folder.path}: another pipeline (process {owner}) writes this journal: stop it, or"
            f" give this one a journal.folder of its own"
        ) from error
    with contextlib.suppress(OSError):  # on a full disk, the lock must do without a name
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


def is_locked(folder: Folder) -> bool:
    """Whether a writer has the journal open."""
    try:
        handle = os.open(folder.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def replace_file(path: Path, data: bytes) -> None:
    """Replace a small file as a whole; after a crash the old or the new one stands there.

    Raises:
        OSError: it cannot be done; the old one stays.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # after a loss of power, an empty file would stand there
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """Bring a folder's list of names to the disk.

    Raises:
        OSError: it cannot be done.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

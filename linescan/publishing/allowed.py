"""The allow-list: a folder of public key files, looked at anew whenever somebody connects."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

from linescan.errors import KeyFileError, PublishError
from linescan.keys import PUBLIC, read_public

log = logging.getLogger(__name__)

MOST_KEYS: Final = 1000


class _Version(NamedTuple):
    """Changes when a file does."""

    inode: int
    size: int
    changed_ns: int


class Allowed:
    """Names of clients by public key. Safe from any thread.

    Args:
        folder: of files ``NAME.key``. Adding and removing files takes effect at the next
            connection; nothing that cannot be read allows anybody.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._seen: dict[str, _Version] = {}
        self._keys: dict[str, bytes] = {}
        self._names: dict[bytes, set[str]] = {}
        self._readable = True

    def check(self) -> None:
        """Read the folder for the first time.

        Raises:
            PublishError: it cannot be read.
        """
        try:
            open_to_others = self.folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            self._look()
        except OSError as error:
            raise PublishError(
                f"publish.security.allow: {self.folder}: cannot read this folder of public keys:"
                f" {error.strerror}; make it with linescan keys allow"
            ) from None
        if open_to_others:
            log.warning("%s: others on this machine may add keys: chmod 755 it", self.folder)
        if not self._names:
            log.warning("%s: no keys: nobody can connect (linescan keys allow)", self.folder)

    def names_of(self, public: bytes) -> Collection[str]:
        """The names under which a key is allowed; none where it is not."""
        with self._lock:
            try:
                self._look()
                self._readable = True
            except OSError as error:
                if self._readable:
                    log.error("%s: nobody is allowed: %s", self.folder, error.strerror)
                self._readable = False
                return ()
        return self.names_known(public)

    def names_known(self, public: bytes) -> Collection[str]:
        """As ``names_of``, without looking at the folder anew."""
        return self._names.get(public, ())

    def _look(self) -> None:
        """Read what has changed.

        Raises:
            OSError: the folder cannot be read.
        """
        seen = self._versions()
        if seen == self._seen:
            return
        for name, version in seen.items():
            if self._seen.get(name) != version:
                self._keys.pop(name, None)
                try:
                    self._keys[name] = read_public(self.folder / (name + PUBLIC))
                except KeyFileError as error:
                    log.error("not allowed: %s", error)
        self._keys = {name: key for name, key in self._keys.items() if name in seen}
        names: dict[bytes, set[str]] = {}
        for name, key in self._keys.items():
            names.setdefault(key, set()).add(name)
        self._names = names
        self._seen = seen
        log.info("%s: %d keys are allowed", self.folder, len(self._names))

    def _versions(self) -> dict[str, _Version]:
        found: dict[str, _Version] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if not entry.name.endswith(PUBLIC) or entry.name.startswith("."):
                    continue
                try:
                    status = entry.stat()
                except OSError:
                    continue  # removed meanwhile
                name = entry.name.removesuffix(PUBLIC)
                found[name] = _Version(status.st_ino, status.st_size, status.st_ctime_ns)
        if len(found) > MOST_KEYS:
            if len(self._seen) <= MOST_KEYS:
                log.error("%s: %d keys: only the first %d", self.folder, len(found), MOST_KEYS)
            found = {name: found[name] for name in sorted(found)[:MOST_KEYS]}
        return found

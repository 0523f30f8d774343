"""Builds the producer with the system's C compiler."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from linescan.errors import SourceError

SOURCES = Path(__file__).parent / "producer"
NAME = "linescan-virtual.cti"
FLAGS = ("-std=c11", "-O2", "-g", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")
LIBRARIES = ("-lm", "-lpthread")


def compiler() -> str | None:
    """The C compiler: ``CC`` where it is set, or the first of cc, gcc and clang."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    return None


def build_producer(to: Path | None = None) -> Path:
    """Build the producer, unless it is built already from these sources.

    Args:
        to: the file to write, if it is missing or older than a source; one in the user's cache
            folder, named after what is in the sources, where not given.

    Returns:
        The producer's file (.cti).

    Raises:
        SourceError: there is no compiler, or it fails.
    """
    target = to if to is not None else _cache() / _digest() / NAME
    if target.is_file() and (to is None or target.stat().st_mtime >= _newest()):
        return target
    command = compiler()
    if command is None:
        raise SourceError(
            "the virtual camera needs a C compiler; install one (Debian: apt install gcc), or "
            "name it in the environment variable CC"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / NAME
            _compile(command, made)
            made.replace(target)  # in one step: others may build or load it at this moment
    except OSError as error:
        raise SourceError(f"{target}: the virtual camera cannot be built: {error}") from error
    return target


def _compile(command: str, target: Path) -> None:
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    features = f'-DFEATURES="{SOURCES}"'
    line = [command, *FLAGS, features, *sources, "-o", str(target), *LIBRARIES]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next((x for x in done.stderr.splitlines() if "error" in x), "it says nothing")
        raise SourceError(
            f"the virtual camera cannot be built with {shlex.quote(command)}: {said.strip()}"
        )


def _newest() -> float:
    return max(path.stat().st_mtime for path in SOURCES.iterdir())


def _digest() -> str:
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _cache() -> Path:
    given = os.environ.get("LINESCAN_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(given) if given else Path(base) / "linescan") / "virtual-camera"

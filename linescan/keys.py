"""CURVE keys in files: ``NAME.key`` is public, ``NAME.key_secret`` holds both halves.

The form is that of CZMQ and pyzmq certificates, so that other programs read them. A secret never
appears in a text made here.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq

from linescan.errors import KeyFileError

log = logging.getLogger(__name__)

PUBLIC: Final = ".key"
SECRET: Final = ".key_secret"  # noqa: S105 - how a name ends
MAX_FILE_BYTES: Final = 16 << 10
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_Z85: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_LINE: Final = re.compile(r"\s*(public|secret)-key\s*=\s*([\"'])(.*)\2\s*")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public key and the secret that belongs to it, both in Z85."""

    public: bytes
    secret: bytes = field(repr=False)


def is_key(text: str) -> bool:
    """Whether a text is a key: 40 characters of Z85 (ZeroMQ RFC 32)."""
    return _Z85.fullmatch(text) is not None


def check_key_name(name: str) -> str:
    """The name, if it can be that of a key.

    Raises:
        KeyFileError: it cannot.
    """
    if NAME.fullmatch(name) is None or name.endswith((PUBLIC, SECRET)):
        raise KeyFileError(
            f"{name!r} is no name for a key: up to 63 letters, digits, '.', '_' and '-', such as"
            " qc-1"
        )
    return name


def new_pair() -> KeyPair:
    """A new pair of keys."""
    return KeyPair(*zmq.curve_keypair())


def _halves(path: Path) -> tuple[bytes, bytes | None]:
    """The public key in a file, and the secret one if it is there.

    Raises:
        KeyFileError: it cannot be read, or holds no keys or keys that do not belong together.
    """
    found: dict[str, bytes] = {}
    for line in _read(path).splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        if not is_key(match[3]):
            raise KeyFileError(f"{path}: its {match[1]} key is damaged: 40 characters are expected")
        found[match[1]] = match[3].encode()
    if "public" not in found:
        raise KeyFileError(f"{path}: no key file: make one with linescan keys new")
    secret = found.get("secret")
    try:
        belong = secret is None or zmq.curve_public(secret) == found["public"]
    except zmq.ZMQError:  # 40 characters that stand for more than 32 bytes
        raise KeyFileError(f"{path}: its secret key is damaged: make new ones") from None
    if not belong:
        raise KeyFileError(
            f"{path}: its public and secret key do not belong together: make new ones with linescan"
            " keys new"
        )
    return found["public"], secret


def read_secret(path: Path) -> KeyPair:
    """A secret key file; warns where others may read it.

    Raises:
        KeyFileError: it cannot be read, is damaged, or is a public key file.
    """
    public, secret = _halves(path)
    if secret is None:
        raise KeyFileError(
            f"{path}: holds a public key only, the secret one is needed: NAME{SECRET}, not"
            f" NAME{PUBLIC}"
        )
    if path.stat().st_mode & _OTHERS:
        log.warning("%s: others on this machine may read this secret key: chmod 600 it", path)
    return KeyPair(public, secret)


def read_public(key: Path | str) -> bytes:
    """A public key, given as such or as its file.

    Raises:
        KeyFileError: it is neither, or the file is damaged or of a secret key.
    """
    if isinstance(key, str) and is_key(key) and not Path(key).exists():
        return key.encode()
    public, secret = _halves(Path(key))
    if secret is not None:
        raise KeyFileError(
            f"{key}: this is a secret key, which must not leave the machine it was made on: give"
            f" its public half, NAME{PUBLIC}"
        )
    return public


def write_pair(folder: Path, name: str, pair: KeyPair) -> tuple[Path, Path]:
    """Write the public and the secret key file; only the owner may read the latter.

    Returns:
        Their paths.

    Raises:
        KeyFileError: a file of that name is there, or it cannot be written.
    """
    public, secret = folder / (name + PUBLIC), folder / (name + SECRET)
    for path in (public, secret):
        if path.exists():
            raise _taken(path)
    halves = f'    public-key = "{pair.public.decode()}"\n'
    _write(secret, _text("Secret: keep it on this machine.", halves, pair.secret), 0o600)
    try:
        _write(public, _text("Public: give it away.", halves), 0o644)
    except KeyFileError:
        secret.unlink()
        raise
    return public, secret


def write_public(folder: Path, name: str, public: bytes) -> Path:
    """Write a public key file.

    Raises:
        KeyFileError: a file of that name is there, or it cannot be written.
    """
    path = folder / (name + PUBLIC)
    _write(path, _text("Public.", f'    public-key = "{public.decode()}"\n'), 0o644)
    return path


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise KeyFileError(
            f"{path}: there is no such key file: make one with linescan keys new"
        ) from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot read the key: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path}: too large for a key file")
    return data.decode("utf-8", "replace")


def _text(comment: str, halves: str, secret: bytes | None = None) -> str:
    if secret is not None:
        halves += f'    secret-key = "{secret.decode()}"\n'
    return f"#   ZeroMQ CURVE key. {comment}\n\nmetadata\ncurve\n{halves}"


def _write(path: Path, text: str, mode: int) -> None:
    """Write a new file, whole or not at all: what reads it meanwhile never sees a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.link(part, path)  # unlike a renaming, never over another file
        finally:
            part.unlink()
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot write the key: {error.strerror}") from None


def _taken(path: Path) -> KeyFileError:
    return KeyFileError(
        f"{path}: is there already and stays as it is: choose another name, or remove it first"
    )

"""Key files: what is written, what is refused, and that no secret stands in a text."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq.auth

from linescan.errors import KeyFileError
from linescan.keys import (
    MAX_FILE_BYTES,
    check_key_name,
    is_key,
    new_pair,
    read_public,
    read_secret,
    write_pair,
    write_public,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_pair_comes_back_from_its_files(tmp_path: Path) -> None:
    pair = new_pair()
    public, secret = write_pair(tmp_path / "keys", "qc-1", pair)
    assert (public.name, secret.name) == ("qc-1.key", "qc-1.key_secret")
    assert read_secret(secret) == pair
    assert read_public(public) == pair.public
    assert read_public(str(public)) == pair.public
    assert read_public(pair.public.decode()) == pair.public


def test_only_the_owner_reads_a_secret(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        public, secret = write_pair(tmp_path, "qc-1", new_pair())
    finally:
        os.umask(before)
    assert (mode(public), mode(secret)) == (0o644, 0o600)
    assert {path.name for path in tmp_path.iterdir()} == {"qc-1.key", "qc-1.key_secret"}


def test_others_read_our_files_and_we_theirs(tmp_path: Path) -> None:
    pair = new_pair()
    public, secret = write_pair(tmp_path, "ours", pair)
    assert zmq.auth.load_certificate(secret) == (pair.public, pair.secret)
    assert zmq.auth.load_certificate(public) == (pair.public, None)
    zmq.auth.create_certificates(tmp_path, "theirs")
    theirs = read_secret(tmp_path / "theirs.key_secret")
    assert (theirs.public, theirs.secret) == zmq.auth.load_certificate(
        tmp_path / "theirs.key_secret"
    )
    assert read_public(tmp_path / "theirs.key") == theirs.public


@pytest.mark.parametrize("taken", ["qc-1.key", "qc-1.key_secret"])
def test_no_file_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(KeyFileError, match="is there already"):
        write_pair(tmp_path, "qc-1", new_pair())
    assert (tmp_path / taken).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def test_an_allowed_key_is_not_overwritten(tmp_path: Path) -> None:
    first = new_pair().public
    path = write_public(tmp_path, "qc-1", first)
    with pytest.raises(KeyFileError, match="is there already"):
        write_public(tmp_path, "qc-1", new_pair().public)
    assert read_public(path) == first


def test_a_public_key_is_no_secret_one_and_the_other_way_round(tmp_path: Path) -> None:
    public, secret = write_pair(tmp_path, "qc-1", new_pair())
    with pytest.raises(KeyFileError, match="holds a public key only"):
        read_secret(public)
    with pytest.raises(KeyFileError, match="must not leave the machine"):
        read_public(secret)


def test_what_is_no_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.key_secret"
    with pytest.raises(KeyFileError, match=r"x\.key_secret: there is no such key file"):
        read_secret(path)
    with pytest.raises(KeyFileError, match="cannot read the key"):
        read_secret(tmp_path)
    for content in (b"", b"\xff\xfe\0", b"public-key = short"):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match="no key file"):
            read_secret(path)
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(KeyFileError, match="too large"):
        read_secret(path)


def test_damaged_keys_are_named_without_being_shown(tmp_path: Path) -> None:
    pair, other = new_pair(), new_pair()
    _, path = write_pair(tmp_path, "qc-1", pair)
    whole = path.read_text()
    secret = pair.secret.decode()
    for damaged, reason in (
        (whole.replace(secret, secret[:-1]), "its secret key is damaged"),
        (whole.replace(secret, "#" * 40), "its secret key is damaged"),  # more than 32 bytes
        (whole.replace(secret, other.secret.decode()), "do not belong together"),
    ):
        path.write_text(damaged)
        with pytest.raises(KeyFileError, match=reason) as caught:
            read_secret(path)
        assert secret[:-1] not in str(caught.value)
        assert other.secret.decode() not in str(caught.value)


def test_a_pair_shows_no_secret() -> None:
    pair = new_pair()
    assert pair.public.decode() in repr(pair)
    assert pair.secret.decode() not in repr(pair)


def test_a_secret_that_others_may_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, path = write_pair(tmp_path, "qc-1", new_pair())
    read_secret(path)
    assert not caplog.text
    path.chmod(0o640)
    read_secret(path)
    assert f"{path}: others on this machine may read this secret key: chmod 600" in caplog.text


@pytest.mark.parametrize("name", ["", "..", "a/b", ".qc", "qc.key", "qc.key_secret", "x" * 64])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(KeyFileError, match="is no name for a key"):
        check_key_name(name)


def test_keys_are_told_from_other_text() -> None:
    assert is_key(new_pair().public.decode())
    assert not is_key("x" * 39)
    assert not is_key("x" * 39 + "'")

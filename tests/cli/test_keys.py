"""``linescan keys``, and a run whose subscribers need them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import FRAMES_ONLY, Result, Start

Run = Callable[..., Result]


def sentence(result: Result) -> str:
    assert result.code == 2, result.err
    (line,) = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in result.err
    return line


def halves(folder: Path, name: str) -> tuple[str, str]:
    """The public and the secret key of a pair."""
    text = (folder / f"{name}.key_secret").read_text()
    public, secret = (line.split('"')[1] for line in text.splitlines() if "-key =" in line)
    return public, secret


@pytest.fixture
def keys(linescan: Run, tmp_path: Path) -> Path:
    """A folder with the keys of a pipeline and of a subscriber, the latter allowed."""
    for name in ("server", "qc-1"):
        assert linescan("keys", "new", name, "--folder", tmp_path).code == 0
    allowed = linescan("keys", "allow", tmp_path / "qc-1.key", "--folder", tmp_path / "allowed")
    assert allowed.code == 0, allowed.err
    return tmp_path


def test_keys_are_made_and_never_overwritten(linescan: Run, tmp_path: Path) -> None:
    made = linescan("keys", "new", "qc-1", "--folder", tmp_path)
    public, secret = halves(tmp_path, "qc-1")
    assert public in made.out
    assert secret not in made.out + made.err
    assert stat.S_IMODE((tmp_path / "qc-1.key_secret").stat().st_mode) == 0o600
    assert "is there already" in sentence(linescan("keys", "new", "qc-1", "--folder", tmp_path))
    assert halves(tmp_path, "qc-1") == (public, secret)
    assert "is no name for a key" in sentence(
        linescan("keys", "new", "../qc", "--folder", tmp_path)
    )


def test_keys_are_allowed_listed_and_removed(linescan: Run, keys: Path) -> None:
    allowed = ("--folder", keys / "allowed")
    public, _ = halves(keys, "qc-1")
    server, _ = halves(keys, "server")
    by_text = linescan("keys", "allow", "--name", "by-text", *allowed, "--", server)
    assert by_text.code == 0, by_text.err
    listed = linescan("keys", "list", *allowed)
    assert listed.out.splitlines() == [f"{server}  by-text", f"{public}  qc-1"]
    assert "is there already" in sentence(linescan("keys", "allow", keys / "qc-1.key", *allowed))
    assert linescan("keys", "remove", "by-text", *allowed).code == 0
    assert linescan("keys", "list", *allowed).out.splitlines() == [f"{public}  qc-1"]
    assert "cannot be removed" in sentence(linescan("keys", "remove", "by-text", *allowed))


def test_what_is_no_public_key_is_refused(linescan: Run, keys: Path) -> None:
    allowed = ("--folder", keys / "allowed")
    secret = linescan("keys", "allow", keys / "server.key_secret", *allowed)
    assert "must not leave the machine" in sentence(secret)
    assert "no such key file" in sentence(linescan("keys", "allow", keys / "none.key", *allowed))
    public, _ = halves(keys, "server")
    assert "--name is missing" in sentence(linescan("keys", "allow", *allowed, "--", public))
    (keys / "allowed" / "bad.key").write_text("nonsense")
    listed = linescan("keys", "list", *allowed)
    assert listed.code == 1
    assert "bad.key: no key file" in listed.err
    assert "no such folder" in sentence(linescan("keys", "list", "--folder", keys / "none"))


def test_a_run_serves_only_those_with_keys(
    linescan: Run, start: Start, keys: Path, recording: Path, endpoint: str
) -> None:
    _, secret = halves(keys, "server")
    security = {"server_key": f"{keys}/server.key_secret", "allow": f"{keys}/allowed"}
    run = start(
        "replay",
        recording,
        *FRAMES_ONLY,
        "--wait-subscribers",
        "2",
        "--set",
        f"publish.data={endpoint}",
        "--set",
        f"publish.security={json.dumps(security)}",
    )
    mine = ("--server-key", keys / "server.key", "--key", keys / "qc-1.key_secret")
    stranger = linescan("subscribe", endpoint, "--timeout", "20")
    assert "serves only subscribers with keys" in sentence(stranger)
    wrong = linescan(
        "verify",
        endpoint,
        "--server-key",
        keys / "server.key",
        "--key",
        keys / "server.key_secret",
    )
    assert "does not allow this subscriber's key" in sentence(wrong)
    reading = start("subscribe", endpoint, "--camera", "web-1", "--json", *mine)
    audit = start("verify", endpoint, "--camera", "web-1", *mine)
    read, audited, ran = Result(reading), Result(audit), Result(run)
    assert (read.code, audited.code, ran.code) == (0, 0, 0), (read.err, audited.err, ran.err)
    assert "balanced" in audited.out
    headers = [json.loads(line) for line in read.out.splitlines()]
    assert headers[-1]["type"] == "end"
    for text in (read.out, read.err, audited.err, ran.out, ran.err):
        assert secret not in text
        assert halves(keys, "qc-1")[1] not in text
    assert "linescan keys allow" in ran.err


def test_half_of_the_keys_is_not_enough(linescan: Run, keys: Path) -> None:
    result = linescan("subscribe", "--server-key", keys / "server.key")
    assert "--server-key and --key go together" in sentence(result)


def test_other_machines_are_not_served_in_clear(linescan: Run, recording: Path) -> None:
    result = linescan("replay", recording, "--set", "publish.data=tcp://0.0.0.0:5560")
    message = sentence(result)
    assert "can be reached from other machines" in message
    assert "publish.allow_clear: true" in message


def test_a_missing_server_key_is_named(linescan: Run, recording: Path, tmp_path: Path) -> None:
    security = {"server_key": f"{tmp_path}/none", "allow": f"{tmp_path}"}
    result = linescan(
        "replay", recording, *FRAMES_ONLY, "--set", f"publish.security={json.dumps(security)}"
    )
    assert "publish.security.server_key" in sentence(result)

"""What ``linescan forward`` refuses before it connects, in one sentence; secrets stay secret."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from linescan.cli import app
from linescan.config import Config
from tests.sinks.line import Line

SECRET = "hunter-22"

Configure = Callable[..., Path]


def sentence(config: Path, *options: str) -> str:
    """The one sentence that the command ends with."""
    result = CliRunner().invoke(app, ["forward", str(config), *options])
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize(
    ("sinks", "said"),
    [
        ({"nats": {"servers": ["http://127.0.0.1"]}}, "'sinks.nats.servers': expected servers"),
        ({"mqtt": {"server": "127.0.0.1:1883"}}, "'sinks.mqtt.server': expected a server such as"),
        ({"mqtt": {"server": "mqtt://127.0.0.1:99999"}}, "expected a server such as mqtt://"),
        ({"nats": {"subject": "x"}}, "unknown key 'sinks.nats.subject'; did you mean 'subjects'?"),
        ({"nats": {"user": "a", "token_env": "T"}}, "give one of user, token_env, token_file and"),
        ({"mqtt": {"password_env": "P"}}, "a password needs a user"),
        ({"nats": {"name": "a"}, "mqtt": {"name": "a"}}, "nats and mqtt are both named 'a'"),
        ({"nats": {"user": "a", "password_env": "LINESCAN_UNSET"}}, "LINESCAN_UNSET is not set"),
        ({"mqtt": {"user": "a", "password_file": "nowhere"}}, "nowhere: No such file or directory"),
        ({"nats": {"credentials": "nowhere.creds"}}, "there is no file"),
        ({"nats": {"ca": "nowhere.pem"}}, "sinks.nats: ca, cert or key cannot be used: "),
        ({"nats": {"resend_s": 120}}, "resend_s must be shorter than duplicate_window_s"),
        ({}, "no broker is named"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_configuration_is_said(
    sinks: Mapping[str, Any], said: str, line: Line, configure: Configure
) -> None:
    assert said in sentence(configure(sinks))


def test_a_password_in_an_address_is_refused_and_not_shown(
    line: Line, configure: Configure
) -> None:
    for sinks in (
        {"nats": {"servers": [f"nats://me:{SECRET}@127.0.0.1:4222"]}},
        {"mqtt": {"server": f"mqtt://me:{SECRET}@127.0.0.1"}},
        {"mqtt": {"password": SECRET}},
    ):
        assert SECRET not in sentence(configure(sinks))


def test_without_a_journal_nothing_can_be_forwarded(configure: Configure) -> None:
    said = sentence(configure({"nats": {}}, {"enabled": False}))
    assert "journal.enabled is false" in said
    assert "no journal can be read there" in sentence(configure({"nats": {}}), "--once")


@pytest.mark.parametrize("extra", ["nats", "mqtt"])
def test_a_library_that_is_missing_is_named(extra: str, tmp_path: Path) -> None:
    module = {"nats": "nats", "mqtt": "paho"}[extra]
    program = f"""
import sys
sys.modules[{module!r}] = None
from linescan.config import Config
from linescan.errors import SinkError
from linescan.sinks.factory import build_forwarders
sections = {{"journal": {{"enabled": True}}, "sinks": {{{extra!r}: {{}}}}}}
config = Config.model_validate({{"source": {{"type": "simulated"}}}} | sections)
try:
    build_forwarders(config)
except SinkError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert f"pip install '.[{extra}]' in linescan's folder" in result.stdout


def test_the_settings_that_start_events_carry_hold_no_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    config = Config.model_validate(
        {
            "source": {"type": "simulated"},
            "sinks": {"mqtt": {"user": "me", "password_file": str(tmp_path / "secret")}},
        }
    )
    assert SECRET not in json.dumps(config.model_dump(mode="json"))

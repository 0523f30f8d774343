"""``linescan forward`` as users run it: refusals, secrets, outages, ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from linescan.config import Config
from tests.ports import free_port
from tests.sinks.brokers import Mosquitto, Nats
from tests.sinks.conftest import Start
from tests.sinks.line import Line
from tests.sinks.stored import Listener, in_stream, wait_until

SECRET = "hunter-22"


def sentence(ended: tuple[int, str]) -> str:
    """The one sentence that the command ended with."""
    code, errors = ended
    assert code == 2, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
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
        ({}, "no broker is named"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_configuration_is_said(
    sinks: Mapping[str, Any], said: str, line: Line, forward: Start
) -> None:
    assert said in sentence(forward(sinks).end())


def test_a_password_in_an_address_is_refused_and_not_shown(line: Line, forward: Start) -> None:
    for sinks in (
        {"nats": {"servers": [f"nats://me:{SECRET}@127.0.0.1:4222"]}},
        {"mqtt": {"server": f"mqtt://me:{SECRET}@127.0.0.1"}},
        {"mqtt": {"password": SECRET}},
    ):
        assert SECRET not in sentence(forward(sinks).end())


def test_without_a_journal_nothing_can_be_forwarded(forward: Start) -> None:
    said = sentence(forward({"nats": {}}, journal={"enabled": False}).end())
    assert "journal.enabled is false" in said
    assert "no journal can be read there" in sentence(forward({"nats": {}}, "--once").end())


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


def test_a_password_that_is_wrong_is_one_sentence(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    users = 'authorization { users: [{user: me, password: "right"}] }'
    with Nats(tmp_path / "nats", settings=users) as server:
        sink = {"servers": [server.url], "user": "me", "password_env": "P"}
        said = sentence(forward({"nats": sink}, env={"P": SECRET}).end())
        assert "it refuses us: give the right user, token or credentials in sinks.nats" in said
        assert SECRET not in said
        code, errors = forward({"nats": sink}, "--once", env={"P": "right"}).end()
        assert code == 0, errors
        assert len(in_stream(server.url, user="me", password="right")) == 1


def test_subjects_that_are_not_allowed_are_named(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    users = (
        "authorization { users: [{user: me, password: pw,"
        ' permissions: {publish: {deny: "linescan.1.>"}}}] }'
    )
    with Nats(tmp_path / "nats", settings=users) as server:
        sink = {"servers": [server.url], "user": "me", "password_env": "P"}
        process = forward({"nats": sink}, env={"P": "pw"})
        process.until("permissions violation for publish to")
        code, errors = process.signal(signal.SIGTERM)
        assert code == 0, errors
        assert "sent nothing yet" in errors
        assert in_stream(server.url, user="me", password="pw") == []


def test_a_token_comes_from_a_file(line: Line, forward: Start, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    with Nats(tmp_path / "nats", settings=f"authorization {{ token: {SECRET} }}") as server:
        sink = {"servers": [server.url], "token_file": "token"}
        code, errors = forward({"nats": sink}, "--once").end()
        assert code == 0, errors
        assert SECRET not in errors


def test_a_password_for_mqtt_comes_from_a_file(line: Line, forward: Start, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "me", SECRET], check=True)
    settings = f"allow_anonymous false\npassword_file {passwords}"
    (tmp_path / "secret").write_text("wrong\n")
    with Mosquitto(tmp_path / "mqtt", settings=settings) as broker:
        sink = {"server": broker.url, "user": "me", "password_file": "secret"}
        said = sentence(forward({"mqtt": sink}).end())
        assert "give the right user and password in sinks.mqtt" in said
        (tmp_path / "secret").write_text(f"{SECRET}\n")
        code, errors = forward({"mqtt": sink}, "--once").end()
    assert code == 0, errors
    assert SECRET not in errors


def test_the_settings_that_start_events_carry_hold_no_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    config = Config.model_validate(
        {
            "source": {"type": "simulated"},
            "sinks": {"mqtt": {"user": "me", "password_file": str(tmp_path / "secret")}},
        }
    )
    assert SECRET not in json.dumps(config.model_dump(mode="json"))


def test_both_sinks_at_once_and_one_broker_that_is_away(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    line.inspection(2)
    server = Nats(tmp_path / "nats")
    with Mosquitto(tmp_path / "mqtt") as broker, Listener(broker.port) as listener:
        sinks = {"nats": {"servers": [server.url]}, "mqtt": {"server": broker.url}}
        process = forward(sinks)
        wait_until(lambda: len(listener.by_id()) == 3, "what goes to the other broker")
        with server:  # comes late
            kept = tmp_path / "journal" / "acknowledgements" / "sink-nats.json"
            wait_until(kept.exists, "the first acknowledgement")
            code, errors = process.signal(signal.SIGINT)
            assert code == 130, errors
            assert len(in_stream(server.url)) == 5
    assert "Connection refused" in errors or "Connect call failed" in errors


def test_it_waits_for_a_journal_that_is_not_there_yet(forward: Start, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mqtt") as broker, Listener(broker.port) as listener:
        process = forward({"mqtt": {"server": broker.url}})
        process.until("waiting for a journal in")
        line = Line(tmp_path / "journal")
        line.sync()
        wait_until(lambda: len(listener.by_id()) == 1, "the first event")
        line.close()
        code, errors = process.signal(signal.SIGTERM)
    assert code == 0, errors


def test_a_second_forwarder_of_the_same_sink_is_refused(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    with Mosquitto(tmp_path / "mqtt") as broker, Listener(broker.port) as listener:
        sinks = {"mqtt": {"server": broker.url}}
        forward(sinks)
        wait_until(lambda: len(listener.by_id()) == 1, "the first event")
        assert "another linescan forward feeds this sink" in sentence(forward(sinks).end())


def test_a_broker_that_never_comes_does_not_keep_it_from_ending(line: Line, forward: Start) -> None:
    port = free_port()
    process = forward(
        {
            "nats": {"servers": [f"nats://127.0.0.1:{port}"]},
            "mqtt": {"server": f"mqtt://127.0.0.1:{port}"},
        }
    )
    process.until("nats: nats://")
    process.until("mqtt: mqtt://")
    code, errors = process.signal(signal.SIGTERM)
    assert code == 0
    assert f"nats://127.0.0.1:{port}: " in errors
    assert f"mqtt://127.0.0.1:{port}: Connection refused" in errors


def test_a_server_without_jetstream_is_named(line: Line, forward: Start, tmp_path: Path) -> None:
    with Nats(tmp_path / "nats", jetstream=False) as server:
        process = forward({"nats": {"servers": [server.url]}})
        process.until("JetStream is not ready")
        assert process.signal(signal.SIGTERM)[0] == 0

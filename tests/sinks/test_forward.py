"""``linescan forward`` as users run it: refusals, secrets, outages, ends."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.ports import free_port
from tests.sinks.brokers import Mosquitto, Nats
from tests.sinks.conftest import Start
from tests.sinks.line import Line
from tests.sinks.stored import Listener, in_stream
from tests.sinks.waiting import wait_until

SECRET = "hunter-22"


def sentence(ended: tuple[int, str]) -> str:
    """The one sentence that the command ended with."""
    code, errors = ended
    assert code == 2, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    return line


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
            process.until("connected to nats://")
            wait_until(lambda: len(in_stream(server.url)) == 5, "what goes to the late one")
            code, errors = process.signal(signal.SIGINT)
            assert code == 130, errors
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

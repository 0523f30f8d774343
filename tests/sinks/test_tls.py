"""TLS to real brokers: a certificate that is trusted, and one that is not."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.sinks.brokers import Broker, Mosquitto, Nats
from tests.sinks.conftest import Start
from tests.sinks.line import Line


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that is its own authority, and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=broker",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(params=["nats", "mqtt"])
def secured(
    request: pytest.FixtureRequest, certificate: tuple[Path, Path], tmp_path: Path
) -> tuple[str, Broker, dict[str, object]]:
    """A broker that speaks TLS and asks for a certificate, and the sink for it."""
    cert, key = certificate
    if request.param == "nats":
        settings = (
            f'tls {{ cert_file: "{cert}", key_file: "{key}", ca_file: "{cert}", verify: true }}'
        )
        server = Nats(tmp_path / "nats", settings=settings)
        return "nats", server, {"servers": [f"tls://127.0.0.1:{server.port}"]}
    settings = f"allow_anonymous true\ncafile {cert}\ncertfile {cert}\nkeyfile {key}\n"
    broker = Mosquitto(tmp_path / "mqtt", settings=f"{settings}require_certificate true")
    return "mqtt", broker, {"server": f"mqtts://127.0.0.1:{broker.port}"}


def test_a_broker_with_a_trusted_certificate_gets_all(
    line: Line, forward: Start, secured: tuple[str, Broker, dict[str, object]]
) -> None:
    name, broker, sink = secured
    line.inspection(2)
    files = {"ca": "cert.pem", "cert": "cert.pem", "key": "key.pem"}
    with broker:
        code, errors = forward({name: {**sink, **files}}, "--once").end()
    assert code == 0, errors
    assert f"{name}: ended; sent 1 event, " in errors
    assert "2 objects" in errors


def test_a_broker_with_another_certificate_gets_nothing(
    line: Line, forward: Start, secured: tuple[str, Broker, dict[str, object]]
) -> None:
    name, broker, sink = secured
    with broker:
        process = forward({name: sink})
        process.until("CERTIFICATE_VERIFY_FAILED")
        code, errors = process.signal(signal.SIGTERM)
    assert code == 0
    assert "sent nothing yet" in errors

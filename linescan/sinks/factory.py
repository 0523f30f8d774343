"""Makes the sinks that a configuration names."""

from __future__ import annotations

from collections.abc import Iterator

from linescan.config import Config, MqttSection, NatsSection
from linescan.errors import SinkError, install_hint
from linescan.sinks.broker import Broker
from linescan.sinks.forwarder import Forwarder, Limits


def build_forwarders(config: Config) -> list[Forwarder]:
    """One forwarder for each sink.

    Raises:
        SinkError: there is no sink or no journal, a library is missing, or a secret cannot be had.
    """
    sections = [s for s in (config.sinks.nats, config.sinks.mqtt) if s is not None]
    if not sections:
        raise SinkError("sinks: no broker is named: give sinks.nats or sinks.mqtt")
    if not config.journal.enabled:
        raise SinkError("journal.enabled is false: sinks are fed from the journal, switch it on")
    return [
        Forwarder(
            section.name,
            _broker(section, config.camera),
            config.journal.folder,
            section.kinds,
            Limits(
                section.in_flight, section.in_flight_mb << 20, section.timeout_s, section.resend_s
            ),
        )
        for section in sections
    ]


def unkept(config: Config) -> Iterator[str]:
    """Names of sinks for which the journal does not keep what is older than ``max_age_h``."""
    for section in (config.sinks.nats, config.sinks.mqtt):
        if section is not None and f"sink-{section.name}" not in config.journal.keep_for:
            yield f"sink-{section.name}"


def _broker(section: NatsSection | MqttSection, camera: str) -> Broker:
    extra, package = (
        ("nats", "nats-py") if isinstance(section, NatsSection) else ("mqtt", "paho-mqtt")
    )
    try:
        if isinstance(section, NatsSection):
            from linescan.sinks.jetstream import JetStream

            return JetStream(section)
        from linescan.sinks.mqtt import Mqtt

        return Mqtt(section, camera)
    except ModuleNotFoundError as error:
        raise SinkError(
            f"sinks.{extra} needs the package {package!r}; {install_hint(extra)}"
        ) from error

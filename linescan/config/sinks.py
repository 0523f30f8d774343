"""Sinks: brokers of the plant that get what the journal keeps; ``linescan forward`` feeds them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from linescan.config.base import LONGEST_S, Section
from linescan.config.delivery import PORT

PORT_NUMBER: Final = PORT.replace(r"|\*", "")
HOST: Final = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
NATS_SERVER: Final = rf"^(nats|tls)://{HOST}(:{PORT_NUMBER})?$"
"""No user or password in it: the configuration travels in ``start`` events."""
MQTT_SERVER: Final = rf"^mqtts?://{HOST}(:{PORT_NUMBER})?$"
NATS_STREAM: Final = r"^[A-Za-z0-9_-]{1,64}$"
NATS_PREFIX: Final = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
MQTT_PREFIX: Final = r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$"
SINK_NAME: Final = r"^[A-Za-z0-9._-]{1,58}$"
VARIABLE: Final = r"^[A-Z_a-z][A-Z_a-z0-9]*$"  # written unlike FEATURE: errors tell them apart

Variable = Annotated[str, Field(pattern=VARIABLE)]


class BrokerSection(Section):
    """What all sinks share: who we are to the broker, and how much may be under way."""

    user: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """User name for the broker."""
    password_env: Variable | None = None
    """Name of the environment variable that holds the password."""
    password_file: Path | None = None
    """File that holds the password, alone on its first line."""
    ca: Path | None = None
    """With TLS, file of the authorities that are trusted (PEM) in place of the system's."""
    cert: Path | None = None
    """With TLS, our own certificate (PEM), where the broker asks for one."""
    key: Path | None = None
    """The private key of ``cert`` (PEM)."""
    in_flight: int = Field(default=64, ge=1, le=1024)
    """Most messages of the journal that are sent and not yet acknowledged."""
    in_flight_mb: int = Field(default=64, ge=1, le=4096)
    """Their size together, in MB; one that is larger travels alone."""
    timeout_s: float = Field(default=10.0, ge=0.1, le=600.0)
    """When an acknowledgement takes longer, in seconds, connect and send anew."""

    @model_validator(mode="after")
    def _one_password(self) -> BrokerSection:
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("give password_env or password_file, not both")
        if (self.password_env or self.password_file) and self.user is None:
            raise ValueError("a password needs a user")
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key are given together")
        return self


class NatsSection(BrokerSection):
    """A stream of NATS JetStream, see docs/how-to/forward-to-a-broker.md."""

    name: Annotated[str, Field(pattern=SINK_NAME)] = "nats"
    """The place in the journal is kept under ``sink-<name>``: the name for ``journal.keep_for``."""
    servers: tuple[Annotated[str, Field(pattern=NATS_SERVER)], ...] = Field(
        default=("nats://127.0.0.1:4222",), min_length=1, max_length=32
    )
    """Servers of one cluster, tried in turn; ``tls://`` insists on TLS."""
    token_env: Variable | None = None
    """Name of the environment variable that holds a token, in place of user and password."""
    token_file: Path | None = None
    """File that holds a token."""
    credentials: Path | None = None
    """A credentials file (JWT and seed, ``.creds``), in place of user and password."""
    kinds: tuple[Literal["inspection", "objects", "event"], ...] = Field(
        default=("inspection", "objects", "event"), min_length=1
    )
    """What is forwarded."""
    subjects: Annotated[str, Field(pattern=NATS_PREFIX, max_length=128)] = "linescan.1"
    """What subjects begin with; ``.<camera>.<kind>`` follows."""
    stream: Annotated[str, Field(pattern=NATS_STREAM)] = "linescan"
    """Name of the stream."""
    create: bool = True
    """Create the stream where there is none; where there is one, it must be as stated here. With
    false somebody else makes it: only its subjects and ``duplicate_window_s`` must do."""
    duplicate_window_s: float = Field(default=120.0, ge=1.0, le=LONGEST_S)
    """For so many seconds the server knows a message again and drops a second copy."""
    resend_s: float = Field(default=0.0, ge=0.0, le=LONGEST_S)
    """On each new connection, send again what was acknowledged within so many seconds before: a
    server may lose that in a power cut, up to its ``sync_interval``. Shorter than
    ``duplicate_window_s``."""
    storage: Literal["file", "memory"] = "file"
    """Where the server keeps the stream; in memory, its end is the end of the stream."""
    replicas: int = Field(default=1, ge=1, le=5)
    """Servers of the cluster that hold a copy."""
    max_age_h: float = Field(default=0.0, ge=0.0, le=1e6)
    """The server drops what is older, in hours; 0 never."""
    max_gb: float = Field(default=0.0, ge=0.0, le=1e6)
    """The server drops the oldest beyond this size, in 10^9 bytes; 0 never."""

    @model_validator(mode="after")
    def _one_identity(self) -> NatsSection:
        tokens = (self.token_env, self.token_file)
        given = [value for value in (self.user, *tokens, self.credentials) if value is not None]
        if len(given) > 1:
            raise ValueError("give one of user, token_env, token_file and credentials")
        if 0 < self.max_age_h * 3600 < self.duplicate_window_s:
            raise ValueError("max_age_h must not be shorter than duplicate_window_s")
        if self.resend_s >= self.duplicate_window_s:
            raise ValueError("resend_s must be shorter than duplicate_window_s")
        return self


class MqttSection(BrokerSection):
    """An MQTT 5 broker, see docs/how-to/forward-to-a-broker.md."""

    name: Annotated[str, Field(pattern=SINK_NAME)] = "mqtt"
    """The place in the journal is kept under ``sink-<name>``: the name for ``journal.keep_for``."""
    server: Annotated[str, Field(pattern=MQTT_SERVER)] = "mqtt://127.0.0.1:1883"
    """The broker; ``mqtts://`` for TLS, whose port is 8883 where none is given."""
    kinds: tuple[Literal["objects", "event"], ...] = Field(
        default=("objects", "event"), min_length=1
    )
    """What is forwarded; arrays are not for MQTT."""
    topics: Annotated[str, Field(pattern=MQTT_PREFIX, max_length=128)] = "linescan/1"
    """What topics begin with; ``/<camera>/<kind>`` follows."""
    resend_s: float = Field(default=60.0, ge=0.0, le=LONGEST_S)
    """On each new connection, send again what was acknowledged within so many seconds before: a
    broker acknowledges what it has only in memory, and a crash loses it. Longer than the broker
    takes to store, for mosquitto its ``autosave_interval``."""
    keepalive_s: int = Field(default=15, ge=5, le=3600)
    """After one and a half times so many seconds of silence the broker says ``offline``."""


class SinksSection(Section):
    """Brokers that ``linescan forward`` feeds from the journal."""

    nats: NatsSection | None = None
    """NATS JetStream: inspections with their arrays, objects, events."""
    mqtt: MqttSection | None = None
    """MQTT 5: objects and events as JSON."""

    @model_validator(mode="after")
    def _names_differ(self) -> SinksSection:
        if self.nats and self.mqtt and self.nats.name == self.mqtt.name:
            raise ValueError(f"nats and mqtt are both named {self.nats.name!r}: rename one")
        return self

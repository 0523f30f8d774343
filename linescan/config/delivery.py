"""How results leave, and what happens when there are too many: publishing and overload."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from linescan.config.base import LONGEST_S, Seconds, Section

PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]|\*)"
"""1 to 65535, or any: ZeroMQ cuts a larger one down to another port without a word."""
HOST = r"(\*|[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\])"
ENDPOINT = rf"^(tcp://{HOST}:{PORT}|ipc://.+)$"
Endpoint = Annotated[str, Field(pattern=ENDPOINT)]
"""A ZeroMQ endpoint to bind: tcp at an address or interface of this machine, or ipc."""
LOOPBACK = re.compile(
    r"ipc://.*|tcp://(127\.[0-9.]+|\[::1\]|\[::ffff:127\.[0-9.]+\]|localhost):[^:]+"
)
"""Endpoints that other machines cannot reach."""
AUTO: Final = "auto"
BESIDE: Final = ENDPOINT.replace("^(", f"^({AUTO}|")
EndpointBeside = Annotated[str, Field(pattern=BESIDE)]
"""An endpoint, or the one next to that of the data socket."""
HIGHEST_PORT: Final = 65535


class SecuritySection(Section):
    """Encryption, and clients that may connect; see docs/how-to/secure-the-stream.md."""

    server_key: Path
    """The pipeline's secret key file, ``NAME.key_secret``; ``linescan keys new`` makes it."""
    allow: Path
    """Folder of the public key files of clients that may connect; ``linescan keys allow`` adds
    one. Changes take effect without a restart."""


class PublishSection(Section):
    """Results over ZeroMQ, see docs/reference/protocol.md."""

    enabled: bool = True
    """Switch off to run without sockets."""
    data: Endpoint = "tcp://127.0.0.1:5560"
    """Endpoint of the data socket; ``:*`` takes a free port and says which."""
    control: EndpointBeside | None = AUTO
    """Endpoint of the control socket, where subscribers ask for what they missed: ``auto`` is the
    port after that of ``data`` (5561), or its path with ``.control``; null for none."""
    status: EndpointBeside | None = AUTO
    """Endpoint of the status socket: ``auto`` is two ports after that of ``data`` (5562), or its
    path with ``.status``; null for none."""
    security: SecuritySection | None = None
    """Keys for all three sockets; null serves whoever can reach them, in clear."""
    allow_clear: bool = False
    """Serve other machines without keys: whoever reaches the port reads all, and can ask for
    replays and acknowledge in any name."""
    memory_mb: int = Field(default=512, ge=1, le=1_000_000)
    """Most memory for messages that slow subscribers have not fetched, in MB; with less than
    8 whole frames, or inspections where these are larger, bursts are dropped. With a journal, a
    quarter of it is kept for replays."""
    wait_for_subscribers: int = Field(default=0, ge=0, le=1000)
    """Start only when so many subscribers are there."""
    wait_s: Seconds = 60.0
    """Give up with an error when they have not come within so many seconds."""
    linger_s: float = Field(default=5.0, ge=0.0, le=600.0)
    """At the end, wait so long for subscribers to fetch what was sent."""

    @property
    def control_endpoint(self) -> str | None:
        """Where the control socket is bound."""
        return self._beside(self.control, 1, ".control")

    @property
    def status_endpoint(self) -> str | None:
        """Where the status socket is bound."""
        return self._beside(self.status, 2, ".status")

    def _beside(self, given: str | None, ports: int, suffix: str) -> str | None:
        if given != AUTO:
            return given
        if self.data.startswith("ipc://"):
            return self.data + suffix
        address, _, port = self.data.rpartition(":")
        if port == "*":
            return self.data
        # After the highest port there is none: those before it are taken then.
        step = ports if int(port) + 2 <= HIGHEST_PORT else -ports
        return f"{address}:{int(port) + step}"

    @model_validator(mode="after")
    def _no_strangers(self) -> PublishSection:
        if not self.enabled or self.security is not None or self.allow_clear:
            return self
        for endpoint in (self.data, self.control_endpoint, self.status_endpoint):
            if endpoint is not None and LOOPBACK.fullmatch(endpoint) is None:
                raise ValueError(
                    f"{endpoint} can be reached from other machines, and nothing is encrypted: set"
                    " publish.security (see docs/how-to/secure-the-stream.md), use 127.0.0.1, or"
                    " say publish.allow_clear: true if the network is trusted"
                )
        return self

    @model_validator(mode="after")
    def _somebody_to_wait_for(self) -> PublishSection:
        if self.wait_for_subscribers and not self.enabled:
            raise ValueError("wait_for_subscribers needs enabled: true, nobody can come otherwise")
        return self


class OverloadSection(Section):
    """What happens when a stage cannot keep up."""

    policy: Literal["block", "drop_oldest"] = "block"
    """``block`` loses nothing and slows the source; ``drop_oldest`` stays current and counts."""
    queue: int = Field(default=8, ge=1, le=1024)
    """Items that wait in front of each stage, at most."""
    drain_s: float = Field(default=30.0, ge=0.0, le=LONGEST_S)
    """When stopped, finish what is under way within so many seconds, then discard and count."""

"""CURVE on the publisher's sockets: who connects must have a key that the allow-list names."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import zmq
from zmq.utils import z85

from linescan.errors import KeyFileError, PublishError
from linescan.keys import read_secret
from linescan.publishing.allowed import Allowed

log = logging.getLogger(__name__)

DOMAIN: Final = b"linescan"
REMEMBERED: Final = 256
"""Most keys whose refusals are told one by one."""
TOLD_EACH: Final = 100
KEY_BYTES: Final = 32
_FRAMES: Final = 7


class Gate:
    """Makes contexts whose sockets serve only clients with an allowed key.

    Args:
        server_key: the publisher's secret key file.
        allow: folder of the clients' public key files.

    Raises:
        PublishError: a file or the folder is missing or wrong.
    """

    def __init__(self, server_key: Path, allow: Path) -> None:
        if not zmq.has("curve"):
            raise PublishError("this build of ZeroMQ has no CURVE: install pyzmq from its wheel")
        try:
            pair = read_secret(server_key)
        except KeyFileError as error:
            raise PublishError(f"publish.security.server_key: {error}") from None
        self._secret = pair.secret
        self._allowed = Allowed(allow)
        self._allowed.check()
        self._refusals = 0
        self._by_key: Counter[bytes] = Counter()
        self._lock = threading.Lock()

    @property
    def refused(self) -> int:
        """Connections that were refused because their key is not allowed."""
        return self._refusals

    def names_of(self, key: str | None) -> Collection[str]:
        """The names that a client with this key may use, as of the last connection."""
        return self._allowed.names_known(b"" if key is None else key.encode())

    def new_context(self) -> zmq.Context[Any]:
        """A context whose sockets want keys, and that answers for them until it is terminated."""
        context: zmq.Context[Any] = zmq.Context()
        # A shadow has options and a list of sockets of its own: this one is its thread's.
        door: zmq.Socket[Any] = zmq.Context.shadow(context.underlying).socket(zmq.REP)
        door.linger = 0
        door.bind("inproc://zeromq.zap.01")
        thread = threading.Thread(target=self._answer, args=(door,), name="keys", daemon=True)
        thread.start()
        options: dict[int, int | bytes] = {
            zmq.CURVE_SERVER: 1,
            zmq.CURVE_SECRETKEY: self._secret,
            zmq.ZAP_DOMAIN: DOMAIN,
            zmq.ZAP_ENFORCE_DOMAIN: 1,  # nobody to ask means no, not yes
        }
        for option, value in options.items():
            context.setsockopt(option, value)
        return context

    def _answer(self, door: zmq.Socket[Any]) -> None:
        """Answer ZeroMQ's questions (RFC 27) until the context ends."""
        with contextlib.suppress(zmq.ContextTerminated):
            while True:
                request = door.recv_multipart()
                try:
                    key = self._admit(request)
                except Exception:  # one that cannot be judged must not lock out all others
                    log.exception("a client's key cannot be checked: refused")
                    key = b""
                id_ = request[1] if len(request) > 1 else b""
                code, text = (b"200", b"OK") if key else (b"400", b"key not allowed")
                door.send_multipart([b"1.0", id_, code, text, key, b""])
        door.close()

    def _admit(self, request: list[bytes]) -> bytes:
        """The public key of the client that asks, or nothing."""
        if len(request) != _FRAMES or request[0] != b"1.0" or request[5] != b"CURVE":
            return b""
        key = request[6]
        # A socket that takes both families names IPv4 addresses in the form of IPv6.
        address = request[3].decode("ascii", "replace").removeprefix("::ffff:")
        if len(key) != KEY_BYTES:
            return b""
        public = z85.encode(key)
        names = self._allowed.names_of(public)
        if not names:
            self._note_refusal(public, address)
            return b""
        log.info("key %s from %s is allowed", ", ".join(sorted(names)), address)
        return public

    def _note_refusal(self, public: bytes, address: str) -> None:
        with self._lock:
            self._refusals += 1
            if public not in self._by_key and len(self._by_key) >= REMEMBERED:
                self._by_key.clear()
            self._by_key[public] += 1
            times, total = self._by_key[public], self._refusals
            # Whoever makes a key for each attempt must not fill the log.
            tell = times % TOLD_EACH == 1 and (total <= REMEMBERED or total % TOLD_EACH == 1)
        if tell:
            log.warning(
                "a client from %s is refused, its key is not in %s (%d refusals so far); to allow"
                " it: linescan keys allow --folder %s --name NAME -- '%s'",
                address,
                self._allowed.folder,
                total,
                self._allowed.folder,
                public.decode(),
            )


def new_context(gate: Gate | None) -> zmq.Context[Any]:
    """A context for a publisher's sockets; without a gate, they serve everybody."""
    return zmq.Context() if gate is None else gate.new_context()

"""The subscriber's socket: connects, joins the cameras that the publisher offers, reads frames."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

import zmq

from linescan.errors import ProtocolError, SubscribeError
from linescan.protocol import (
    WELCOME,
    Buffer,
    Kind,
    check_camera,
    decode_welcome,
    is_welcome,
    topic,
)

log = logging.getLogger(__name__)

MOST_CAMERAS: Final = 64
RECEIVE_MARK: Final = 8
"""Messages that wait here, at most; more wait at the publisher, within its budget."""
HEARTBEAT_MS: Final = 1000
STOPPED_MS: Final = 5000
"""The publisher gives this subscriber up after so long a silence of its process."""
SILENT_MS: Final = 30_000
"""This subscriber reconnects after so long a silence of the publisher. It must be longer than any
pause between two reads: while the receive queue is full, signs of life are not read either."""


class SubscribeTimeoutError(SubscribeError, TimeoutError):
    """Nothing came in time."""


class Connection:
    """A SUB socket that reconnects by itself.

    Args:
        endpoint: where the publisher is.
        kinds: what to receive beside events.
        camera: whose messages; None for all cameras that the publisher names in its greeting.

    Raises:
        SubscribeError: the endpoint or the name of the camera is wrong.
    """

    def __init__(self, endpoint: str, kinds: Sequence[Kind], camera: str | None) -> None:
        self._endpoint = endpoint
        self._kinds = kinds
        self._camera = camera
        self._joined: set[str] = set()
        self._offered: tuple[str, ...] | None = None
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        try:
            self._connect()
        except ProtocolError as error:
            self.close()
            raise SubscribeError(str(error)) from None
        except zmq.ZMQError as error:
            self.close()
            raise SubscribeError(
                f"cannot subscribe to {endpoint!r}: it is no endpoint ({error.strerror}); write the"
                " publisher's, for example tcp://127.0.0.1:5560"
            ) from None

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return bool(self._context.closed)

    def receive(self, timeout_s: float | None) -> list[Buffer]:
        """Wait for a message and give its frames.

        Raises:
            SubscribeTimeoutError: nothing came in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self.wait(left):
                raise SubscribeTimeoutError(f"{self._silence()} (waited {timeout_s:g} s)")
            frames = self.read()
            if frames is not None:
                return frames

    def wait(self, timeout_s: float | None) -> bool:
        """Whether something can be read, at the latest after so many seconds."""
        # Rounded up: a wait of less than a millisecond must not become none at all.
        return bool(self._socket.poll(None if timeout_s is None else int(timeout_s * 1000) + 1))

    def read(self) -> list[Buffer] | None:
        """The frames of a message that waits; None where it was a greeting, or nothing waits."""
        try:
            parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        frames: list[Buffer] = [part.buffer for part in parts]
        if is_welcome(frames):
            self._greet(frames)
            return None
        return frames

    def close(self) -> None:
        """Leave; what was not read is dropped."""
        self._context.destroy(linger=0)

    def _connect(self) -> None:
        options = {
            zmq.RCVHWM: RECEIVE_MARK,
            zmq.LINGER: 0,
            zmq.IPV6: 1,
            zmq.RECONNECT_IVL: 100,
            zmq.RECONNECT_IVL_MAX: 2000,
            zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: SILENT_MS,
            zmq.HEARTBEAT_TTL: STOPPED_MS,
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        self._socket.subscribe(WELCOME)
        if self._camera is None:
            self._socket.connect(self._endpoint)
        else:
            self._join(check_camera(self._camera), connect=True)

    def _join(self, camera: str, *, connect: bool = False) -> None:
        """Subscribe to a camera's topics.

        Events come last, after the connection is begun: the publisher counts subscribers by them,
        and what was subscribed to before a connection arrives there in any order.
        """
        self._joined.add(camera)
        for kind in self._kinds:
            if kind is not Kind.EVENT:
                self._socket.subscribe(topic(camera, kind))
        if connect:
            self._socket.connect(self._endpoint)
        self._socket.subscribe(topic(camera, Kind.EVENT))

    def _greet(self, frames: list[Buffer]) -> None:
        try:
            welcome = decode_welcome(frames)
        except ProtocolError as error:
            log.warning("%s: greeting ignored: %s", self._endpoint, error)
            return
        self._offered = welcome.cameras
        log.info("%s: %s with %s", self._endpoint, welcome.software, ", ".join(welcome.cameras))
        if self._camera is None:
            for camera in welcome.cameras:
                if camera not in self._joined and len(self._joined) < MOST_CAMERAS:
                    self._join(camera)
        elif self._camera not in welcome.cameras:
            log.warning("%s", self._silence())

    def _silence(self) -> str:
        """Why nothing may have come."""
        if self._offered is None:
            return f"no publisher answers at {self._endpoint}; start it, or check the endpoint"
        offered = ", ".join(self._offered)
        if self._camera is not None and self._camera not in self._offered:
            return f"the publisher at {self._endpoint} has no camera {self._camera}, but {offered}"
        return f"nothing comes from {self._endpoint} (camera {offered}); does its camera run?"

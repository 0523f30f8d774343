"""The subscriber's socket: connects, joins the cameras that the publisher offers, reads frames."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any, Final

import zmq

from linescan.client.curve import ClientKeys, Handshakes
from linescan.client.sockets import new_socket
from linescan.errors import ProtocolError, SubscribeError
from linescan.protocol import (
    WELCOME,
    Buffer,
    Kind,
    Welcome,
    check_camera,
    decode_welcome,
    is_welcome,
    topic,
)

log = logging.getLogger(__name__)

MOST_CAMERAS: Final = 64
RECEIVE_MARK: Final = 8
"""Messages that wait here, at most; more wait at the publisher, within its budget."""


class SubscribeTimeoutError(SubscribeError, TimeoutError):
    """Nothing came in time."""


class RefusedError(SubscribeError):
    """The publisher does not serve this subscriber: a key is missing or wrong."""


class Connection:
    """A SUB socket that reconnects by itself.

    Args:
        endpoint: where the publisher is.
        kinds: what to receive beside events.
        camera: whose messages; None for all cameras that the publisher names in its greeting.
        keys: those of this subscriber, for a publisher that wants keys.

    Attributes:
        welcome: the last greeting.
        greetings: how many have come: one for each connection.

    Raises:
        SubscribeError: the endpoint or the name of the camera is wrong.
    """

    def __init__(
        self,
        endpoint: str,
        kinds: Sequence[Kind],
        camera: str | None,
        keys: ClientKeys | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._kinds = kinds
        self._camera = camera
        self._joined: set[str] = set()
        self.welcome: Welcome | None = None
        self.greetings = 0
        self.context: zmq.Context[Any] = zmq.Context()
        if keys is not None:
            keys.equip(self.context)
        self.socket = new_socket(self.context, zmq.SUB, mark=RECEIVE_MARK)
        self._handshakes = Handshakes(self.socket, endpoint, keys)
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
        return bool(self.context.closed)

    @property
    def sockets(self) -> list[zmq.Socket[Any]]:
        """What to wait for: messages, and refusals."""
        return [self.socket, self._handshakes.monitor]

    def check(self) -> None:
        """See whether the publisher refuses this subscriber.

        Raises:
            RefusedError: it does; the next call to read tries again.
        """
        refusal = self._handshakes.refusal()
        if refusal is not None:
            # ZeroMQ gives up for ever after some refusals, and goes on after others: begin anew.
            with contextlib.suppress(zmq.ZMQError):
                self.socket.disconnect(self.endpoint)
            self.socket.connect(self.endpoint)
            raise RefusedError(refusal)

    def read(self) -> list[Buffer] | None:
        """The frames of a message that waits, if one does; greetings are noted and passed over."""
        while True:
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return None
            frames: list[Buffer] = [part.buffer for part in parts]
            if not is_welcome(frames):
                return frames
            self._greet(frames)

    def silence(self) -> str:
        """Why nothing may have come."""
        if self._handshakes.failing:
            return (
                f"what answers at {self.endpoint} does not complete the handshake; check the"
                " server key and the endpoint"
            )
        if self.welcome is None:
            return f"no publisher answers at {self.endpoint}; start it, or check the endpoint"
        offered = ", ".join(self.welcome.cameras)
        if self._camera is not None and self._camera not in self.welcome.cameras:
            return f"the publisher at {self.endpoint} has no camera {self._camera}, but {offered}"
        return f"nothing comes from {self.endpoint} (camera {offered}); does its camera run?"

    def close(self) -> None:
        """Leave; what was not read is dropped."""
        self.context.destroy(linger=0)

    def _connect(self) -> None:
        self.socket.subscribe(WELCOME)
        if self._camera is None:
            self.socket.connect(self.endpoint)
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
                self.socket.subscribe(topic(camera, kind))
        if connect:
            self.socket.connect(self.endpoint)
        self.socket.subscribe(topic(camera, Kind.EVENT))

    def _greet(self, frames: list[Buffer]) -> None:
        try:
            welcome = decode_welcome(frames)
        except ProtocolError as error:
            log.warning("%s: greeting ignored: %s", self.endpoint, error)
            return
        self.welcome = welcome
        self.greetings += 1
        log.info("%s: %s with %s", self.endpoint, welcome.software, ", ".join(welcome.cameras))
        if self._camera is None:
            for camera in welcome.cameras:
                if camera not in self._joined and len(self._joined) < MOST_CAMERAS:
                    self._join(camera)
        elif self._camera not in welcome.cameras:
            log.warning("%s", self.silence())

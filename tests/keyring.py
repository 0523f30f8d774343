"""Keys of a publisher and its subscribers, in files as users have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zmq

from linescan.client import ClientKeys
from linescan.keys import KeyPair, new_pair, write_pair, write_public
from linescan.publishing import Gate


class Keyring:
    """A folder with the publisher's keys, and its allow-list."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.allowed = folder / "allowed"
        self.allowed.mkdir()
        self.server = new_pair()
        self.server_public, self.server_secret = write_pair(folder, "server", self.server)

    def gate(self) -> Gate:
        return Gate(self.server_secret, self.allowed)

    def allow(self, name: str, public: bytes) -> None:
        write_public(self.allowed, name, public)

    def new(self, name: str, *, allow: bool = True) -> ClientKeys:
        """A subscriber's keys."""
        pair = new_pair()
        _, secret = write_pair(self.folder, name, pair)
        if allow:
            self.allow(name, pair.public)
        return ClientKeys(self.server_public, secret)

    def equip(self, context: zmq.Context[Any], own: KeyPair) -> None:
        """Give a plain client its keys."""
        context.setsockopt(zmq.CURVE_SERVERKEY, self.server.public)
        context.setsockopt(zmq.CURVE_PUBLICKEY, own.public)
        context.setsockopt(zmq.CURVE_SECRETKEY, own.secret)

"""Real brokers as child processes: started, killed and started again at the same port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.ports import free_port
from tests.sinks.waiting import wait_until

START_S = 60.0


class Broker(ABC):
    """One broker; its files outlive it, so that a second start finds what the first one stored."""

    name = ""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> Sequence[str | Path]: ...

    def start(self) -> Self:
        program = shutil.which(self.name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert program, f"{self.name} is not installed: apt-get install {self.name}"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *map(str, self.command())], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while True:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert time.monotonic() < deadline, f"{self.name} does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: it has no chance to write anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


class Nats(Broker):
    """nats-server with JetStream."""

    name = "nats-server"

    def __init__(self, folder: Path, *, settings: str = "", jetstream: bool = True) -> None:
        super().__init__(folder)
        store = f'jetstream {{ store_dir: "{folder / "store"}" }}\n' if jetstream else ""
        (folder / "nats.conf").write_text(f"{store}{settings}\n")

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        return ("-a", "127.0.0.1", "-p", str(self.port), "-c", self.folder / "nats.conf")


class Mosquitto(Broker):
    """mosquitto that keeps sessions and messages on the disk.

    Args:
        folder: its files.
        settings: further lines of its configuration.
        stores_each_s: how often it writes them there; acknowledgements do not wait for it.
    """

    name = "mosquitto"

    def __init__(
        self, folder: Path, *, settings: str = "allow_anonymous true", stores_each_s: int = 1
    ) -> None:
        super().__init__(folder)
        # Whatever waits for a connected subscriber is written to its socket at once.
        (folder / "mosquitto.conf").write_text(
            f"user root\nlistener {self.port} 127.0.0.1\n"
            f"persistence true\npersistence_location {folder}/\n"
            f"autosave_interval {stores_each_s}\n"
            f"max_inflight_messages 0\nmax_queued_messages 0\n{settings}\n"
        )

    def store(self) -> None:
        """Have it write its store now."""
        assert self._process is not None
        file = self.folder / "mosquitto.db"
        file.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        wait_until(file.is_file, "the broker's store")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        return ("-c", self.folder / "mosquitto.conf")

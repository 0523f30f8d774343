"""One process of a camera, as its parent sees it: started, heard, and ended for sure."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing import connection, reduction

from linescan.config import GenicamSource
from linescan.errors import SourceError
from linescan.sources.genicam import child
from linescan.sources.genicam.messages import Failed, FromChild, Opened, Start, Stop
from linescan.sources.genicam.ring import Ring

OPEN_S = 60.0
"""Time for a camera to open; some take half a minute after a reset."""
END_S = 5.0
"""Time for the process to end in the safe order before it is killed."""
_LOOK_S = 0.1


class CameraProcess:
    """A spawned process that acquires from one camera.

    Spawned, not forked: a vendor's library must not inherit our threads and sockets.
    """

    def __init__(self, section: GenicamSource) -> None:
        self._section = section
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=child.main, args=(section, theirs), name="linescan-camera", daemon=True
        )
        self._ring: Ring | None = None
        try:
            self._process.start()
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid or 0

    def wait_until_open(self, stopped: Callable[[], bool]) -> Opened:
        """What the camera is, once it is open.

        Raises:
            SourceError: it cannot be opened, or takes too long, or ``stopped`` says so.
        """
        deadline = time.monotonic() + OPEN_S
        while time.monotonic() < deadline:
            message = self.receive(_LOOK_S)
            if isinstance(message, Opened):
                return message
            if isinstance(message, Failed):
                raise SourceError(message.why)
            if stopped():
                raise SourceError("stopped while the camera was opened")
        raise SourceError(
            f"{self._section.producer}: the camera did not open within {OPEN_S:g} s; is it "
            "switched on and free?"
        )

    def start(self, ring: Ring) -> None:
        """Acquire into a ring.

        Raises:
            SourceError: the process is gone.
        """
        ring.beat(ahead_s=OPEN_S)
        self._ring = ring
        try:
            self._pipe.send(Start(ring.slots, ring.height))
            reduction.send_handle(self._pipe, ring.fileno(), self.pid)
        except OSError as error:
            self._process.join(END_S)
            raise SourceError(self._gone()) from error

    def receive(self, timeout_s: float) -> FromChild | None:
        """The next message, or None if none came in time.

        Raises:
            SourceError: the process is gone, and all it said has been heard; or it hangs.
        """
        try:
            connection.wait([self._pipe, self._process.sentinel], timeout_s)
            if self._pipe.poll():
                message: FromChild = self._pipe.recv()
                return message
        except (EOFError, OSError):
            self._process.join(END_S)
        if not self._process.is_alive():
            raise SourceError(self._gone())
        hang_s = self._section.supervision.hang_s
        if self._ring is not None and self._ring.silence_s > hang_s:
            self._process.kill()
            raise SourceError(f"the camera's process gave no sign of life for {hang_s:g} s")
        return None

    def end(self) -> None:
        """End it: asked first, then by force."""
        with contextlib.suppress(OSError):  # it may be gone already
            self._pipe.send(Stop())
        # What it still says is read, so that a full pipe does not keep it from ending.
        deadline = time.monotonic() + END_S
        while self._process.is_alive() and time.monotonic() < deadline:
            try:
                connection.wait([self._pipe, self._process.sentinel], _LOOK_S)
                if self._pipe.poll():
                    self._pipe.recv_bytes()
            except (EOFError, OSError):
                self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _gone(self) -> str:
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            why = "hung" if -code == signal.SIGALRM else f"killed by {name}"
            return f"the camera's process ended unexpectedly ({why})"
        return f"the camera's process ended unexpectedly (exit code {code})"

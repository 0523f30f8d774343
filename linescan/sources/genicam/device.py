"""One camera of a GenTL producer: found, configured, polled, and let go in the safe order.

Used only in the camera's own process.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

from linescan.config import Device, GenicamSource
from linescan.errors import SourceError
from linescan.sources.genicam.aliases import ENCODER_VALUE
from linescan.sources.genicam.chunks import ChunkReader
from linescan.sources.genicam.configure import configure
from linescan.sources.genicam.features import get, one_line

_NO_WAIT_S = 1e-9
"""A time-out of 0 would wait for ever."""

_log = logging.getLogger(__name__)


class CameraDevice:
    """A camera, open and configured.

    Attributes:
        opened: its name and the shape of its blocks.
        node_map: its features.
        chunks: reads what comes with a block.
        incomplete: blocks that arrived incomplete so far.
    """

    def __init__(self, section: GenicamSource) -> None:
        """Open and configure the camera.

        Raises:
            SourceError: the producer or the camera cannot be had, or does not take a setting.
        """
        self.incomplete = 0
        self._harvester = load_producer(section.producer)
        self._acquirer: Any = None
        try:
            self._acquirer, name = take_device(self._harvester, section)
            self.node_map = self._acquirer.remote_device.node_map
            self.opened = configure(self.node_map, section, name)
            self.chunks = ChunkReader(self.node_map, every_line=section.chunks.encoder == "lines")
            self._acquirer.num_buffers = max(section.buffers, self._acquirer.min_num_buffers)
            self._acquirer.timeout_period_on_update_event_data_call = 0
            event = self._acquirer.Events.INCOMPLETE_BUFFER
            self._acquirer.add_callback(event, _counter(self))
            self._status = self._access_status()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start acquiring.

        Raises:
            SourceError: the camera does not start.
        """
        from genicam import genapi, gentl

        try:
            self._acquirer.start()
        except (genapi.GenericException, gentl.GenericException) as error:
            raise SourceError(f"the camera does not start: {one_line(error)}") from error

    def fetch(self) -> Any | None:
        """The next complete raw buffer, at once, or None; ``queue`` it when it is copied.

        Harvesters queues an incomplete one by itself; ``incomplete`` counts it.
        """
        return self._acquirer.try_fetch(timeout=_NO_WAIT_S, is_raw=True)

    def queue(self, buffer: Any) -> None:
        """Give a buffer back to the producer."""
        buffer.parent.queue_buffer(buffer)

    @property
    def waiting(self) -> int | None:
        """Blocks that wait to be fetched; None where the producer does not say."""
        try:
            return int(self._acquirer.data_streams[0].num_awaiting_delivery)
        except Exception:  # noqa: BLE001 - not implemented by the producer
            return None

    @property
    def encoder(self) -> int | None:
        """The encoder's position now; None where the camera does not say."""
        value = get(self.node_map, ENCODER_VALUE)
        return int(value) if isinstance(value, (int, float)) else None

    @property
    def under_runs(self) -> int:
        """Blocks that the producer dropped for want of a buffer, so far."""
        try:
            return int(self._acquirer.data_streams[0].num_underrun)
        except Exception:  # noqa: BLE001 - many producers do not count them
            return 0

    @property
    def present(self) -> bool:
        """Whether the camera is still there; producers that do not say so count as yes.

        What an open camera's access status is differs between producers: before GenTL 1.5 there
        was none for it. So it is held against what it was just after opening.
        """
        return self._access_status() == self._status

    def _access_status(self) -> int | None:
        try:
            return int(self._acquirer.device.module.access_status)
        except Exception:  # noqa: BLE001 - not implemented by the producer
            return None

    def close(self) -> None:
        """Stop and release, in the order that survives a lost camera; errors are only logged."""
        if self._acquirer is not None:
            from genicam.gentl import ACQ_STOP_FLAGS_LIST as STOP

            with _logged("stop"):
                self._acquirer.stop()
            # After a loss, stop() fails before it reaches the streams, and destroy() would crash.
            for stream in self._acquirer.data_streams:
                with contextlib.suppress(Exception):
                    stream.module.stop_acquisition(STOP.ACQ_STOP_FLAGS_KILL)
            with _logged("destroy"):
                self._acquirer.destroy()
            self._acquirer = None
        with _logged("reset"):
            self._harvester.reset()


def _counter(device: CameraDevice) -> Any:
    """A callback that counts; Harvesters takes no plain functions."""
    from harvesters.core import Callback

    def emit(*_: Any, **__: Any) -> None:
        device.incomplete += 1

    return type("Counter", (Callback,), {"emit": emit})()


def check_producer(path: Path) -> None:
    """Refuse a producer whose file is not there.

    Raises:
        SourceError: there is no such file.
    """
    if not path.is_file():
        raise SourceError(
            f"{path}: no such GenTL producer (.cti) file; give the one that your camera's vendor "
            "installed"
        )


def load_producer(path: Path) -> Any:
    """A Harvester with the producer's cameras listed.

    Raises:
        SourceError: the file is missing or no GenTL producer.
    """
    import ctypes

    check_producer(path)
    try:
        library = ctypes.CDLL(str(path.absolute()))  # a bare name would be looked for elsewhere
    except OSError as error:
        why = str(error).removeprefix(f"{path.absolute()}: ")
        raise SourceError(
            f"{path}: the GenTL producer cannot be loaded: {why}; is it the vendor's file for "
            "Linux on this processor, and is the vendor's software installed?"
        ) from error
    if not hasattr(library, "GCInitLib"):
        raise SourceError(
            f"{path}: the library is no GenTL producer; the vendor's file ends in .cti"
        )
    from genicam import gentl
    from harvesters.core import Harvester

    harvester = Harvester()
    harvester.add_file(str(path.absolute()))
    try:
        harvester.update()
    except gentl.GenericException as error:
        raise SourceError(f"{path}: the producer lists no cameras: {one_line(error)}") from error
    return harvester


def take_device(harvester: Any, section: GenicamSource) -> tuple[Any, str]:
    """Open the camera that is asked for: its image acquirer, and its name.

    Raises:
        SourceError: there is no such camera, or another program has it.
    """
    from genicam import gentl

    infos = list(harvester.device_info_list)
    if not infos:
        raise no_camera(section.producer)
    wanted = section.device
    matching = [info for info in infos if _matches(info, wanted)]
    if wanted.index >= len(matching):
        keys = wanted.model_dump(exclude_defaults=True)
        asked = ", ".join(f"{k} {v}" for k, v in keys.items())
        there = "; ".join(name_of_device(info) for info in infos)
        raise SourceError(f"no camera with {asked}; set 'source.device' to one of these: {there}")
    info = matching[wanted.index]
    try:
        return harvester.create(infos.index(info)), name_of_device(info)
    except (
        gentl.ResourceInUseException,
        gentl.AccessDeniedException,
        gentl.BusyException,
    ) as error:
        raise SourceError(
            f"{name_of_device(info)}: another program uses this camera; close it and try again"
        ) from error
    except gentl.GenericException as error:
        raise SourceError(
            f"{name_of_device(info)}: it cannot be opened: {one_line(error)}"
        ) from error


def no_camera(producer: Path) -> SourceError:
    """What to say where a producer lists nothing."""
    from linescan.simulation.virtual_camera import NAME

    if producer.name == NAME:
        return SourceError(
            f"no camera found through {producer}; say what the virtual camera sees with "
            "'source.virtual', as configs/virtual-camera.yaml does"
        )
    return SourceError(
        f"no camera found through {producer}; is one connected, switched on, and reachable from "
        "this machine?"
    )


def _matches(info: Any, wanted: Device) -> bool:
    pairs = (
        (wanted.serial, "serial_number"),
        (wanted.model, "model"),
        (wanted.user_name, "user_defined_name"),
    )
    return all(value is None or device_property(info, name) == value for value, name in pairs)


def device_property(info: Any, name: str) -> str:
    """What a producer says of a camera; empty where it does not."""
    try:
        return str(getattr(info, name) or "")
    except Exception:  # noqa: BLE001 - a property that the producer does not have
        return ""


def name_of_device(info: Any) -> str:
    """Vendor, model and serial number, for people."""
    vendor, model = device_property(info, "vendor"), device_property(info, "model")
    return f"{vendor} {model}, serial {device_property(info, 'serial_number') or '?'}".strip()


@contextlib.contextmanager
def _logged(what: str) -> Any:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the process ends anyway
        _log.warning("the camera's %s failed: %s", what, one_line(error))

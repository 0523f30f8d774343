"""Pictures of received frames: an inspection and the image of the same frame belong together."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Self

from linescan.errors import LinescanError
from linescan.pictures import save_inspection
from linescan.protocol import ImageMessage, InspectionMessage, Message


class FrameSaver:
    """Writes pictures of each frame into a folder, the last ones when its context ends.

    The image follows its inspection under the same sequence number; where it was missed, the
    pictures are made without it. At most one inspection a camera waits. A run never overwrites the
    pictures of another one: its files begin with the camera's name, or with ``NAME-2`` and so on
    where the folder holds such files already.

    Args:
        folder: where to.
        images: whether images come; else nothing waits for them.
    """

    def __init__(self, folder: Path, *, images: bool = True) -> None:
        self._folder = folder
        self._images = images
        self._waiting: dict[str, InspectionMessage] = {}
        self._runs: dict[str, tuple[str, str]] = {}

    @property
    def waits(self) -> bool:
        """Whether an inspection waits for its image."""
        return bool(self._waiting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what still waits."""
        for camera in list(self._waiting):
            self._write_without_image(camera)

    def take(self, message: Message) -> None:
        """Take note of a message; writes once inspection and image are there."""
        if isinstance(message, InspectionMessage):
            self._write_without_image(message.camera)
            self._waiting[message.camera] = message
            if not self._images:
                self._write_without_image(message.camera)
        elif isinstance(message, ImageMessage):
            inspection = self._waiting.pop(message.camera, None)
            if inspection is None:
                return
            same = (inspection.epoch, inspection.seq) == (message.epoch, message.seq)
            self._write(inspection, message if same else None)

    def _write_without_image(self, camera: str) -> None:
        if (inspection := self._waiting.pop(camera, None)) is not None:
            self._write(inspection, None)

    def _write(self, inspection: InspectionMessage, image: ImageMessage | None) -> None:
        if inspection.depth_map is None:
            raise LinescanError("the pipeline publishes no depth: there are no pictures to save")
        save_inspection(
            self._folder,
            f"{self._run_name(inspection)}_{inspection.seq:06d}",
            depth=inspection.depth_map,
            labels=inspection.labels,
            objects=inspection.objects,
            thresholds=inspection.segmentation.thresholds if inspection.segmentation else None,
            image=None if image is None else image.image,
            valid=None if image is None else image.valid_rows(),
            first_line=inspection.first_line,
            line_count=inspection.line_count,
            camera=inspection.camera,
            seq=inspection.seq,
        )

    def _run_name(self, inspection: InspectionMessage) -> str:
        """What the files of the inspection's run begin with."""
        camera = inspection.camera
        epoch, name = self._runs.get(camera, ("", camera))
        if epoch != inspection.epoch:
            names = itertools.chain([camera], (f"{camera}-{n}" for n in itertools.count(2)))
            name = next(n for n in names if not any(self._folder.glob(f"{n}_*_depth.png")))
            self._runs[camera] = (inspection.epoch, name)
        return name

"""Plays image files as lines, row by row."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linescan.config import ImagesSource
from linescan.errors import SourceError
from linescan.records import Cause, GrayArray, Interval, LineBlock, Loss
from linescan.sources.advice import SKIP_BAD
from linescan.sources.base import SourceInfo
from linescan.sources.images.decode import GrayReader, peek
from linescan.sources.images.listing import list_images
from linescan.sources.images.problem import ImageHeader, ImageProblem
from linescan.sources.pacing import Pacer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Image:
    """An image to play: its header as far as readable, and what is wrong with it."""

    path: Path
    header: ImageHeader | None
    problem: str | None


class ImagesPlayer:
    """Gives the rows of images, top to bottom, as lines.

    An image that cannot be read counts its rows as lost: as many as its header says, or, where that
    is not readable either, an estimated number: those of the image before it.
    """

    def __init__(self, section: ImagesSource) -> None:
        self._section = section
        self._pacer = Pacer(section.rate)
        self._reader = GrayReader()
        self._images: list[_Image] = []
        self._known: ImageHeader | None = None
        self._captured: Callable[[Iterable[Interval]], None] = lambda _: None
        self._line = 0

        self._max_bits = 0

    @property
    def description(self) -> SourceInfo:
        """What is known of the source; only once it is open."""
        known = self._open_header()
        pitch = self._section.pitch
        return SourceInfo(
            name=f"{len(self._images)} images of {self._section.path}",
            width=known.width,
            dtype=known.dtype,
            bits=self._bits(),
            line_rate_hz=None if self._section.rate == "max" else self._section.rate,
            across_mm=pitch.across_mm,
            along_mm=pitch.along_mm,
            total_lines=None if self._section.loop else sum(rows for _, rows, _ in self._heights()),
            encoder=False,
        )

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """List the images and read their headers.

        Raises:
            SourceError: there are none, or one does not fit (with ``skip_bad``: all of them).
        """
        self._captured = captured
        for path in list_images(self._section.path):
            image = self._look_at(path)
            if image.problem is not None and not self._section.skip_bad:
                raise SourceError(f"{path}: {image.problem}; {SKIP_BAD}")
            self._images.append(image)
            if image.header is not None and image.problem is None:
                self._max_bits = max(self._max_bits, image.header.bits)
        self._check_all(self._known)

    def items(self) -> Iterator[LineBlock | Loss]:
        """Blocks and losses in order; see ``Source.items``.

        Raises:
            SourceError: an image cannot be read (without ``skip_bad``), or none can.
        """
        self._open_header()
        while True:
            readable = False
            for image, rows, estimated in self._heights():
                for item in self._play(image, rows, estimated):
                    readable = readable or isinstance(item, LineBlock)
                    yield item
                if self._pacer.stopped:
                    return
            if not readable:
                raise SourceError(f"{self._section.path}: none of its images can be read")
            if not self._section.loop:
                return

    def stop(self) -> None:
        """End ``items`` soon."""
        self._pacer.stop()

    def close(self) -> None:
        """Release the images."""
        self._pacer.stop()
        self._images = []

    def _check_all(self, known: ImageHeader | None) -> None:
        path, bits = self._section.path, self._section.bits
        if known is None:
            first = self._images[0]
            raise SourceError(
                f"{path}: none of its {len(self._images)} images can be read; {first.path.name}: "
                f"{first.problem}"
            )
        if bits is not None and known.dtype != ("uint8" if bits <= 8 else "uint16"):
            raise SourceError(
                f"{path}: the images have {known.dtype} pixels, which do not go with 'bits: {bits}'"
            )

    def _look_at(self, path: Path) -> _Image:
        try:
            header = peek(path)
        except ImageProblem as error:
            return _Image(path, None, str(error))
        known = self._known = self._known or header
        if (header.width, header.dtype) == (known.width, known.dtype):
            return _Image(path, header, None)
        problem = (
            f"it has {header.width} {header.dtype} pixels across, the images before it "
            f"{known.width} {known.dtype}"
        )
        return _Image(path, header, problem)

    def _open_header(self) -> ImageHeader:
        if self._known is None:
            raise SourceError(f"{self._section.path}: the images are not open")
        return self._known

    def _bits(self) -> int:
        return self._section.bits or self._max_bits

    def _heights(self) -> Iterator[tuple[_Image, int, bool]]:
        """Each image, its rows, and whether their number is a guess."""
        rows = self._open_header().height
        for image in self._images:
            rows = image.header.height if image.header else rows
            yield image, rows, image.header is None

    def _play(self, image: _Image, rows: int, estimated: bool) -> Iterator[LineBlock | Loss]:
        pixels = self._read(image)
        if isinstance(pixels, str):
            yield from self._lose(image, rows, estimated, pixels)
            return
        for row in range(0, rows, self._section.block_lines):
            block = pixels[row : row + self._section.block_lines]
            if not self._pacer.wait(len(block)):
                return
            first = self._capture(len(block))
            yield LineBlock(block, first, len(block), time.time_ns())

    def _read(self, image: _Image) -> GrayArray | str:
        """The pixels of an image, or what is wrong with it."""
        if image.header is None or image.problem is not None:
            return image.problem or "it cannot be read"
        try:
            return self._reader.read(image.path, image.header, self._bits())
        except ImageProblem as error:
            return str(error)

    def _lose(
        self, image: _Image, rows: int, estimated: bool, problem: str
    ) -> Iterator[LineBlock | Loss]:
        if not self._pacer.wait(rows):
            return
        yield Loss(self._capture(rows), rows, Cause.BAD_BLOCK, estimated)
        if not self._section.skip_bad:
            raise SourceError(f"{image.path}: {problem}; {SKIP_BAD}")
        guess = "about " if estimated else ""
        _log.warning("%s: %s: %s%d lines lost", image.path, problem, guess, rows)

    def _capture(self, count: int) -> int:
        """Say that the next lines are captured; the first of them."""
        first, self._line = self._line, self._line + count
        self._captured([Interval(first, count)])
        return first

"""Image files as lines, row by row."""

from linescan.sources.images.player import ImagesPlayer

__all__ = ["ImagesPlayer"]

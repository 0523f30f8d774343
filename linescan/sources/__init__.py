"""Where lines come from: a camera, a recording, images, a simulated web."""

from linescan.sources.base import Source, SourceInfo
from linescan.sources.factory import guess_source, open_source

__all__ = ["Source", "SourceInfo", "guess_source", "open_source"]

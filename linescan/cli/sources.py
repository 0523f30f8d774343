"""What commands that read lines take: a configuration, or something to play."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linescan.config import Config


def source_config(path: Path, overrides: list[str]) -> Config:
    """The configuration in a YAML file, or one that plays a recording, images or an image.

    Raises:
        LinescanError: it is none of these, or the configuration is wrong.
    """
    from linescan.config import load, parse
    from linescan.recording.header import HEADER_FILE
    from linescan.sources import guess_source

    if path.name != HEADER_FILE and path.suffix in {".yaml", ".yml"}:
        return load(path, overrides)
    return parse("", "command line", overrides, source=guess_source(path))

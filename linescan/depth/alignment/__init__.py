"""Depth that is continuous along the web: frames fitted to one another and to a reference."""

from linescan.depth.alignment.reference import Reference, load_reference
from linescan.depth.alignment.stage import Align

__all__ = ["Align", "Reference", "load_reference"]

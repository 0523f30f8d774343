"""Blocks of lines become overlapping frames."""

from linescan.stitching.stitcher import Stitch

__all__ = ["Stitch"]

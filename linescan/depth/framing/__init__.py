"""Frames of any shape for a model of one: resized, letterboxed, or cut into tiles and joined."""

from linescan.depth.framing.plan import Framing, Plan, Size

__all__ = ["Framing", "Plan", "Size"]

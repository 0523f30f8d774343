"""The version, at the bottom of all layers."""

__version__ = "0.1.0"

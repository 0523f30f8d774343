"""How subscribers may be called, in requests, in the configuration and in the journal's folder."""

from __future__ import annotations

from typing import Final

SUBSCRIBER: Final = r"[A-Za-z0-9._-]{1,63}"
"""A name of a subscriber, as a regular expression."""

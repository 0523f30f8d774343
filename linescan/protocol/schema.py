"""The JSON Schema (2020-12) of everything that is JSON in ``linescan/1``."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any


@functools.cache
def schema_text() -> str:
    """The schema as it stands in ``schema.json`` beside this file."""
    return (resources.files("linescan.protocol") / "schema.json").read_text(encoding="utf-8")


def schema() -> dict[str, Any]:
    """The schema, parsed anew with each call.

    ``$defs`` has an entry for each type of message, and ``request``, ``reply``, ``welcome`` and
    ``status``; the schema itself takes any of them.
    """
    parsed: dict[str, Any] = json.loads(schema_text())
    return parsed

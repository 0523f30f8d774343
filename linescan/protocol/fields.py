"""Typed reading of a JSON header: every complaint names the field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

from linescan.errors import ProtocolError
from linescan.records import Interval

MAX_HEADER_BYTES: Final = 32 << 20
"""Longest JSON header; room for as many objects as there are labels."""
MAX_TEXT: Final = 4096
MAX_INT: Final = 2**53 - 1
"""Largest integer that every JSON library keeps exact; larger ones travel as strings."""
MAX_INT64: Final = 2**63 - 1


def dump_json(value: object) -> bytes:
    """Strict JSON in UTF-8: no NaN, no Infinity.

    Raises:
        ProtocolError: a value has no place in JSON.
    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
        data = text.encode()
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"header cannot be written as JSON: {error}") from error
    if len(data) > MAX_HEADER_BYTES:
        raise ProtocolError(f"header of {len(data)} bytes: at most {MAX_HEADER_BYTES} are allowed")
    return data


def load_json(data: bytes | memoryview) -> Any:
    """Parse strict JSON in UTF-8.

    Raises:
        ProtocolError: it is too long or not strict JSON.
    """
    size = len(data) if isinstance(data, bytes) else data.nbytes
    if size > MAX_HEADER_BYTES:
        raise ProtocolError(f"header of {size} bytes: at most {MAX_HEADER_BYTES} are allowed")
    try:
        return json.loads(str(data, "utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"header is not strict JSON: {error}") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Fields:
    """The fields of one JSON object; unknown ones are ignored.

    Args:
        value: the parsed JSON value.
        where: its path in the header, for complaints.
    """

    __slots__ = ("_values", "_where")

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ProtocolError(f"{where}: expected an object, got {_show(value)}")
        self._values: dict[str, Any] = value
        self._where = where

    def fail(self, key: str, expected: str) -> ProtocolError:
        """The complaint about a field."""
        if key not in self._values:
            return ProtocolError(f"{self._where}.{key} is missing, expected {expected}")
        return ProtocolError(f"{self._where}.{key}: expected {expected}, got {self._show(key)}")

    def empty(self, key: str) -> bool:
        """Whether a field is null or not there."""
        return self._values.get(key) is None

    def text(self, key: str) -> str:
        """A string."""
        value = self._values.get(key)
        if not isinstance(value, str) or len(value) > MAX_TEXT or not _encodable(value):
            raise self.fail(key, f"a string of at most {MAX_TEXT} characters")
        return value

    def integer(self, key: str, low: int = 0, high: int = MAX_INT) -> int:
        """An integer within limits."""
        value = self._values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.fail(key, f"an integer from {low} to {high}")
        return value

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self._values.get(key)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self._values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                if math.isfinite(value):
                    return float(value)
            except OverflowError:
                pass
        raise self.fail(key, "a finite number")

    def number_or_nan(self, key: str) -> float:
        """A finite number; null stands for not a number."""
        if key in self._values and self._values[key] is None:
            return math.nan
        return self.number(key)

    def number_or_none(self, key: str) -> float | None:
        """A finite number, or None where it is null or not there."""
        return None if self.empty(key) else self.number(key)

    def big(self, key: str) -> int:
        """A 64-bit integer, which travels as a decimal string."""
        return _big(self._values.get(key), lambda: self.fail(key, "an integer in a string"))

    def bigs(self, key: str, count: int) -> tuple[int, ...]:
        """A list of so many 64-bit integers in strings."""
        values = self.items(key)
        expected = f"a list of {count} integers in strings"
        if len(values) != count:
            raise self.fail(key, expected)
        return tuple(_big(value, lambda: self.fail(key, expected)) for value in values)

    def items(self, key: str) -> list[Any]:
        """A list."""
        value = self._values.get(key)
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self.items(key)
        if not all(isinstance(v, str) and len(v) <= MAX_TEXT and _encodable(v) for v in values):
            raise self.fail(key, "a list of strings")
        return tuple(values)

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of integers from 0 on."""
        values = self.items(key)
        if not all(type(v) is int and 0 <= v <= MAX_INT for v in values):
            raise self.fail(key, "a list of integers")
        return tuple(values)

    def child(self, key: str) -> Fields:
        """An object."""
        return Fields(self._values.get(key), f"{self._where}.{key}")

    def children(self, key: str) -> Iterator[Fields]:
        """A list of objects."""
        for i, value in enumerate(self.items(key)):
            yield Fields(value, f"{self._where}.{key}[{i}]")

    def mapping(self, key: str) -> dict[str, Any]:
        """An object whose keys are names."""
        value = self._values.get(key)
        if not isinstance(value, dict) or not all(_encodable(name) for name in value):
            raise self.fail(key, "an object")
        return value

    def runs(self, key: str, first: int, end: int) -> tuple[Interval, ...]:
        """Sorted, disjoint ``[first, count]`` pairs within ``first`` to ``end`` (excluded)."""
        expected = f"sorted, disjoint [first, count] pairs of integers from {first} to {end - 1}"
        at, runs = first, []
        for pair in self.items(key):
            if not (
                isinstance(pair, list) and len(pair) == 2 and all(type(v) is int for v in pair)
            ):
                raise self.fail(key, expected)
            if pair[0] < at or pair[1] < 1 or pair[0] + pair[1] > end:
                raise self.fail(key, expected)
            runs.append(Interval(pair[0], pair[1]))
            at = runs[-1].end
        return tuple(runs)

    def _show(self, key: str) -> str:
        return _show(self._values.get(key))


def _big(value: object, complain: Any) -> int:
    if isinstance(value, str) and len(value) <= 20 and value.isascii():
        digits = value.removeprefix("-")
        if digits.isdigit() and abs(int(value)) <= MAX_INT64:
            return int(value)
    raise complain()


def _encodable(text: str) -> bool:
    """Whether a string has no lone surrogates, which no output could show."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _show(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

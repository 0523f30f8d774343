"""Wrong messages from right ones: most still parse as JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from linescan.protocol import WELCOME

Frames = Sequence[bytes]

SCALARS: list[Any] = [
    None, True, False, 0, -1, 1, 7, 16, 17, 65535, 2**31, 2**32, 2**53 - 1, 2**53, 2**63, -(2**63),
    2**70, 10**400, 0.0, -0.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), "", "0", "-", "²",
    "\ud800", "\0", "x" * 63, "x" * 64, "x" * 5000, "9" * 19, "9" * 30, "-9223372036854775808",
    "..", "../../etc", "web-1", "web-9", "inspection", "event", "mask", "nan", "raw", "blosc",
    "float64", "object", "replay", "credit", "cancel", "positions", "latest", "ack", "gaps",
]  # fmt: skip
"""Values that stand at some limit, or in another field."""


class Mutator:
    """Draws wrong messages from a seed.

    Attributes:
        made: how many were drawn.
        parsing: how many of them still parse as JSON.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.made = 0
        self.parsing = 0

    def choose(self, values: Sequence[Any]) -> Any:
        """One of several."""
        return self._random.choice(values)

    def chance(self, share: float) -> bool:
        """True so often."""
        return self._random.random() < share

    def message(self, frames: Frames, json_at: int) -> list[bytes]:
        """A wrong message from a right one, whose JSON stands in the frame ``json_at``."""
        wrong = list(frames)
        how = self._random.random()
        if how < 0.65:
            wrong[json_at] = self._other_json(wrong[json_at])
        elif how < 0.8:
            at = self._random.randrange(len(wrong))
            wrong[at] = self._other_bytes(wrong[at])
        elif how < 0.95:
            wrong = self._other_frames(wrong)
        else:
            wrong = [self._random.randbytes(self._random.randrange(60)) for _ in wrong]
        self.made += 1
        self.parsing += any(_parses(frame) for frame in wrong)
        return wrong

    def _other_json(self, frame: bytes) -> bytes:
        prefix = WELCOME if frame.startswith(WELCOME) else b""
        value = json.loads(frame.removeprefix(prefix))
        for _ in range(self._random.randint(1, 3)):
            self._change(value)
        return prefix + json.dumps(value).encode()

    def _change(self, value: Any) -> None:
        """Change something at any depth, in place."""
        while isinstance(value, dict | list) and value:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            key = self._random.choice(keys)
            inner = value[key]
            if isinstance(inner, dict | list) and inner and self.chance(0.7):
                value = inner
                continue
            how = self._random.random()
            if how < 0.15:
                del value[key]
            elif how < 0.25 and isinstance(value, list):
                value.extend([inner] * self._random.randint(1, 40))
            elif how < 0.35:
                value[key] = value[self._random.choice(keys)]
            elif how < 0.4 and isinstance(value, dict):
                value[f"new{self._random.randrange(1000)}"] = inner
            else:
                value[key] = self._value()
            return

    def _value(self) -> Any:
        how = self._random.random()
        if how < 0.75:
            return self._random.choice(SCALARS)
        if how < 0.8:
            return self._random.randint(-(2**64), 2**64)
        if how < 0.81:
            return json.loads("[" * 300 + "]" * 300)
        several = [self._random.choice(SCALARS) for _ in range(self._random.randrange(5))]
        return several if self.chance(0.5) else {str(i): v for i, v in enumerate(several)}

    def _other_bytes(self, frame: bytes) -> bytes:
        begin = self._random.randint(0, len(frame))
        end = min(len(frame), begin + self._random.randrange(9))
        return frame[:begin] + self._random.randbytes(self._random.randrange(9)) + frame[end:]

    def _other_frames(self, frames: list[bytes]) -> list[bytes]:
        at = self._random.randrange(len(frames))
        how = self._random.random()
        if how < 0.3 and len(frames) > 1:
            return frames[:at] + frames[at + 1 :]
        if how < 0.6:
            return [*frames[:at], self._random.choice(frames), *frames[at:]]
        if how < 0.8:
            return [*frames, *(self._random.randbytes(3) for _ in range(self._random.randrange(9)))]
        self._random.shuffle(frames)
        return frames


def _parses(frame: bytes) -> bool:
    try:
        return isinstance(json.loads(frame.removeprefix(WELCOME)), dict)
    except (ValueError, RecursionError):
        return False

"""A subscriber in a process of its own: ``python -m linescan.benchmark.subscriber ENDPOINT``.

It writes one JSON line to standard output for each inspection in its hands, and a last one with
what it missed and how long it took to parse and check messages.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from linescan.client import Subscriber
from linescan.errors import LinescanError
from linescan.protocol import InspectionMessage

SILENCE_S = 120.0
"""A model may take long to load, and a frame of Large takes seconds."""


def main(arguments: list[str]) -> int:
    """Follow one run to its end; the exit code."""
    (endpoint,) = arguments
    try:
        with Subscriber(endpoint, timeout_s=SILENCE_S) as results:
            for message in results:
                now = time.time_ns()
                if isinstance(message, InspectionMessage):
                    _say(
                        {
                            "first_line": message.first_line,
                            "acquired_ns": message.acquired_ns,
                            "published_ns": message.published_ns,
                            "received_ns": now,
                            "bytes": _array_bytes(message),
                        }
                    )
            _say({"missed": results.missed, "receive": results.receiving.summary()})
    except LinescanError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _array_bytes(message: InspectionMessage) -> int:
    return sum(array.nbytes for array in (message.depth, message.labels) if array is not None)


def _say(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

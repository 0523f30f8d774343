"""A subscriber that is sent anything, in a process of its own: ``python -m tests.client.fuzzed``.

Arguments: mode, endpoint of the data, control and status sockets. It prints a line of JSON each
second and with each ``end`` event: what it counted, and its memory.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import psutil

from linescan.client import Subscriber, complete, control, reporting
from linescan.client.connection import SubscribeTimeoutError

HASTE = (
    (complete, "PAUSE_S", 0.002),
    (complete, "TICK_S", 0.002),
    (reporting, "PAUSE_S", 0.002),
    (control, "REPLY_S", 0.2),
)
"""A subscriber in earnest takes its time after a wrong reply; this one is to get many."""


def main() -> None:
    mode, data, *asked = sys.argv[1:]
    logging.disable()
    options: dict[str, Any] = {}
    if mode == "complete":
        for module, name, value in HASTE:
            setattr(module, name, value)
        options = {"control": asked[0], "status": asked[1], "name": "fuzzed", "since": "oldest"}
    process, taken, due, end = psutil.Process(), 0, 0.0, ""
    with Subscriber(
        data,
        mode=mode,
        camera="web-1",
        follow=True,
        timeout_s=0.1,
        **options,
    ) as results:
        while end != "sentinel":
            try:
                next(results)
                taken += 1
            except SubscribeTimeoutError:
                pass
            end = results.end.reason if results.end else ""
            if time.monotonic() > due or end == "sentinel":
                due = time.monotonic() + 1
                figures = {
                    "taken": taken,
                    "malformed": results.malformed,
                    "rss": process.memory_info().rss,
                    "end": end,
                }
                sys.stdout.write(f"{json.dumps(figures)}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()

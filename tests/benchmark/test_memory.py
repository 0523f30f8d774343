"""Resident memory of a real process that grows when it is told to."""

from __future__ import annotations

import subprocess
import sys

from linescan.benchmark.memory import Resident
from linescan.benchmark.processes import child

GROWING = """
import sys
kept = []
for line in sys.stdin:
    kept.append(b"x" * (int(line) << 20))
    print(flush=True)
"""


def test_memory_is_noted_after_the_first_frame_a_tenth_and_the_last() -> None:
    command = [sys.executable, "-c", GROWING]
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        resident = Resident(process.pid, frames=30)
        for frame in range(1, 31):
            process.stdin.write("20\n" if frame in (1, 2, 4, 30) else "0\n")
            process.stdin.flush()
            process.stdout.readline()
            resident.sample(frame)
        process.stdin.close()
    first, tenth, end = (resident.mb[key] for key in ("after_first", "after_tenth", "at_end"))
    assert 19 < tenth - first < 25  # frame 2, not frame 4
    assert 39 < end - tenth < 45
    resident.sample(31)  # it is gone: the figures stay
    assert resident.mb["at_end"] == end


def test_a_process_that_is_gone_has_no_figures() -> None:
    with child([sys.executable, "-c", ""]) as process:
        process.wait()
    resident = Resident(process.pid, frames=10)
    resident.sample(1)
    assert resident.mb == {}

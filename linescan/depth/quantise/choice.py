"""Which parts of a model are quantised: as much work as the tolerance has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from linescan.depth.quantise.plan import Unit

AIM = 0.9
"""Share of the tolerance that is used up: other frames will deviate a little more."""


def choose(
    units: Sequence[Unit],
    measure: Callable[[Sequence[Unit]], float],
    alone: Callable[[Unit], float],
    tolerance: float,
    floor: float,
) -> tuple[Unit, ...]:
    """The units to quantise; all of them where these stay within the tolerance.

    Where they do not, each is tried alone. Errors of rounding are independent, so that their
    squares add up; those with the most for their work are left out until the rest fits.

    Args:
        units: what could be quantised.
        measure: the deviation with some of them.
        alone: the deviation that one of them causes.
        tolerance: most deviation.
        floor: the deviation with none of them.
    """
    aim = AIM * tolerance
    found = measure(units)
    if found <= aim:
        return tuple(units)
    if floor >= aim:
        return ()
    noise = {unit.name: alone(unit) ** 2 for unit in units}
    kept = sorted(units, key=lambda unit: noise[unit.name] / unit.work)
    while kept and found > aim:
        room = (aim**2 - floor**2) / (found**2 - floor**2)
        kept = _within(kept, noise, room * sum(noise[unit.name] for unit in kept))
        found = measure(kept)
    names = {unit.name for unit in kept}
    return tuple(unit for unit in units if unit.name in names)


def _within(kept: Sequence[Unit], noise: Mapping[str, float], limit: float) -> list[Unit]:
    """The first of them whose noise adds up to no more than ``limit``; one less at least."""
    left, total = [], 0.0
    for unit in kept[:-1]:
        total += noise[unit.name]
        if total > limit:
            break
        left.append(unit)
    return left

"""Feathered blending: weights of windows that add up to one everywhere, without a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linescan.records import FloatArray


def feather(length: int, window: int, starts: Sequence[int]) -> list[FloatArray]:
    """Weights along one axis of windows that begin at ``starts``.

    Each rises and falls as a raised cosine over what it shares with its neighbour, and is flat at
    the two ends of the axis.

    Args:
        length: of the axis.
        window: length of each window.
        starts: ascending; a window reaches beyond the axis only where it is longer.

    Returns:
        For each window its weights on the part of the axis that it covers, float32. At each place
        they add up to one.
    """
    total = np.zeros(length)
    weights = []
    for k, start in enumerate(starts):
        first, end = max(start, 0), min(start + window, length)
        place = np.arange(first, end) + 0.5
        weight = np.ones(end - first)
        if k > 0:
            weight *= _rise((place - start) / (starts[k - 1] + window - start))
        if k + 1 < len(starts):
            weight *= _rise((start + window - place) / (start + window - starts[k + 1]))
        total[first:end] += weight
        weights.append((first, weight))
    return [
        (weight / total[first : first + weight.size]).astype(np.float32)
        for first, weight in weights
    ]


def _rise(
    share: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rise: np.ndarray[tuple[int], np.dtype[np.float64]] = 0.5 - 0.5 * np.cos(
        np.pi * np.clip(share, 0.0, 1.0)
    )
    return rise

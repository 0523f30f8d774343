"""Segmentation of one depth map, as a plain function."""

from __future__ import annotations

import numpy as np

from linescan.config import SegmentationSection
from linescan.records import Convention, DepthMap, Segmentation
from linescan.segmentation.background import fit_background, take_sample
from linescan.segmentation.objects import find_objects
from linescan.segmentation.thresholds import choose_thresholds


def segment_depth(depth: DepthMap, section: SegmentationSection) -> Segmentation:
    """Find the objects of one depth map; the same input gives the same bits.

    Rows that are not valid and values that are not finite are never part of an object. Without a
    single usable pixel there are no objects and no thresholds.
    """
    values = np.asarray(depth.values, np.float32)
    known = np.isfinite(values)
    known &= depth.valid[:, None]
    sample = take_sample(values, known)
    if sample is None:
        return Segmentation(np.zeros(values.shape, np.uint16), {}, ())
    sign = -1 if depth.convention is Convention.DEPTH else 1
    background, above = fit_background(sample, section.background)
    pixels = int(np.count_nonzero(known))
    thresholds = choose_thresholds(sign * above, pixels, section.threshold, sample.resolution)
    height = background.above(values, sign)
    labels, objects = find_objects(height, known, depth.valid, thresholds, section, depth.web)
    return Segmentation(labels, thresholds.named(section.hysteresis), objects)

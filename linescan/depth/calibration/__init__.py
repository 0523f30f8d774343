"""From what a model puts out to height in a unit: fits against measured heights, and their file."""

from linescan.depth.calibration.height import HeightCalibration, load_height_calibration
from linescan.depth.calibration.robust import AffineFit, fit_affine

__all__ = ["AffineFit", "HeightCalibration", "fit_affine", "load_height_calibration"]

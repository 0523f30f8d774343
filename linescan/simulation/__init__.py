"""A simulated web with known height: surface, light, camera. Endless, seeded, cut as one likes."""

from linescan.simulation.extras import CutOuts, Dust, Material, Optics, Shade
from linescan.simulation.ranges import (
    CONTINUOUS_SEEDS,
    DEMO_SEEDS,
    HELD_OUT_SEEDS,
    PRINT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    print_scene,
    sample_scene,
    without_relief,
)
from linescan.simulation.scene import (
    PRESETS,
    Albedo,
    Camera,
    FeatureMix,
    Light,
    Scene,
    preset,
)
from linescan.simulation.web import SimulatedWeb, TrueObject, WebLines

__all__ = [
    "CONTINUOUS_SEEDS",
    "DEMO_SEEDS",
    "HELD_OUT_SEEDS",
    "PRESETS",
    "PRINT_SEEDS",
    "TRAINING_SEEDS",
    "VALIDATION_SEEDS",
    "Albedo",
    "Camera",
    "CutOuts",
    "Dust",
    "FeatureMix",
    "Light",
    "Material",
    "Optics",
    "Scene",
    "Shade",
    "SimulatedWeb",
    "TrueObject",
    "WebLines",
    "preset",
    "print_scene",
    "sample_scene",
    "without_relief",
]

"""A simulated web with known height: surface, light, camera. Endless, seeded, cut as one likes."""

from linescan.simulation.ranges import (
    DEMO_SEEDS,
    HELD_OUT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    sample_scene,
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
    "DEMO_SEEDS",
    "HELD_OUT_SEEDS",
    "PRESETS",
    "TRAINING_SEEDS",
    "VALIDATION_SEEDS",
    "Albedo",
    "Camera",
    "FeatureMix",
    "Light",
    "Scene",
    "SimulatedWeb",
    "TrueObject",
    "WebLines",
    "preset",
    "sample_scene",
]

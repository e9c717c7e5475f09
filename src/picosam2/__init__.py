"""Promptable segmentation small enough for an image sensor."""

import importlib
import os
from typing import TYPE_CHECKING, Any

from picosam2.errors import InputError

# ONNX Runtime and Ray report to their makers unless told not to before they start; who wants that
# sets them otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

if TYPE_CHECKING:
    from picosam2.automatic import AutomaticMaskGenerator
    from picosam2.formats.detections import to_supervision
    from picosam2.predictor import Predictor, PredictorConfig
    from picosam2.video import Tracker, TrackerConfig, VideoPredictor

__all__ = [
    "AutomaticMaskGenerator",
    "InputError",
    "Predictor",
    "PredictorConfig",
    "Tracker",
    "TrackerConfig",
    "VideoPredictor",
    "to_supervision",
]

# Where names are that are imported when they are asked for.
_HOMES = {
    "AutomaticMaskGenerator": "picosam2.automatic",
    "Predictor": "picosam2.predictor",
    "PredictorConfig": "picosam2.predictor",
    "Tracker": "picosam2.video",
    "TrackerConfig": "picosam2.video",
    "VideoPredictor": "picosam2.video",
    "to_supervision": "picosam2.formats.detections",
}


def __getattr__(name: str) -> Any:
    """Import what needs SciPy when it is asked for: the command line reads large photographs first.

    Raises:
        AttributeError: there is no such name.
    """
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

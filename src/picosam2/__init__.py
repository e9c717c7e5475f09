"""Promptable segmentation small enough for an image sensor."""

from picosam2.errors import InputError
from picosam2.predictor import Predictor, PredictorConfig

__all__ = ["InputError", "Predictor", "PredictorConfig"]

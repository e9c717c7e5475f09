"""From a prompt to a mask: prompts → looks (crops, network) → readings → mask."""

from picosam2.predictor.config import PredictorConfig
from picosam2.predictor.predictor import Predictor

__all__ = ["Predictor", "PredictorConfig"]

"""Objects followed through a video: frame → crops → networks → masks."""

from picosam2.video.config import TrackerConfig
from picosam2.video.predictor import VideoPredictor
from picosam2.video.tracker import Tracked, Tracker

__all__ = ["Tracked", "Tracker", "TrackerConfig", "VideoPredictor"]

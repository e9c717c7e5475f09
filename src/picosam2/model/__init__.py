"""The networks: one file a family, one interface."""

from picosam2.model.base import ModelConfig, PicoSAM2
from picosam2.model.camera import CameraModel
from picosam2.model.correcting import CorrectingConfig, add_entrance
from picosam2.model.families import FAMILIES, build, read_config
from picosam2.model.paper import PaperConfig
from picosam2.model.small import SmallConfig, SmallNetwork

__all__ = [
    "FAMILIES",
    "CameraModel",
    "CorrectingConfig",
    "ModelConfig",
    "PaperConfig",
    "PicoSAM2",
    "SmallConfig",
    "SmallNetwork",
    "add_entrance",
    "build",
    "read_config",
]

"""The networks: one file a family, one interface."""

from picosam2.model.base import ModelConfig, PicoSAM2
from picosam2.model.camera import CameraModel
from picosam2.model.families import FAMILIES, build, read_config
from picosam2.model.paper import PaperConfig
from picosam2.model.small import SmallConfig

__all__ = [
    "FAMILIES",
    "CameraModel",
    "ModelConfig",
    "PaperConfig",
    "PicoSAM2",
    "SmallConfig",
    "build",
    "read_config",
]

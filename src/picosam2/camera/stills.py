"""The camera's path as a segmenter of photographs, so that it is measured as the predictor is."""

from __future__ import annotations

import dataclasses
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.camera.loop import drive
from picosam2.camera.replay import ReplayCamera
from picosam2.camera.session import Session, SessionConfig
from picosam2.graph import Graph
from picosam2.prompt import paste_region
from picosam2.runtime import Runtime

# A region that still moves then, moves to and fro.
MAX_FRAMES = 60


class CameraSegmenter:
    """Shows a photograph to a replayed camera until its region stands still.

    Args:
        runtime: the network.
        config: how the camera looks and follows.
    """

    network = None

    def __init__(self, runtime: Runtime, config: SessionConfig) -> None:
        self.runtime = runtime
        self.config = config
        self.frames = 0

    @property
    def description(self) -> dict[str, Any]:
        """Digest of the weights, and how the camera looks and follows."""
        return {
            "name": "PicoSAM2, camera",
            "weights_sha256": self.runtime.digest,
            "session": dataclasses.asdict(self.config),
        }

    @property
    def image_graphs(self) -> list[Graph]:
        """None: a photograph is not embedded."""
        return []

    @property
    def prompt_graphs(self) -> list[Graph]:
        """None: what a frame costs is the sensor's."""
        return []

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """See ``Segmenter``."""
        self._image = image

    def click(self, x: float, y: float) -> tuple[NDArray[np.bool_], float]:
        """See ``Segmenter``."""
        return self._answer(point=(x, y))

    def box(self, corners: tuple[float, float, float, float]) -> tuple[NDArray[np.bool_], float]:
        """See ``Segmenter``."""
        return self._answer(box=corners)

    def _answer(self, **prompt: tuple[float, ...]) -> tuple[NDArray[np.bool_], float]:
        camera = ReplayCamera(repeat(self._image, MAX_FRAMES), self.runtime)
        session = Session(camera.frame_size, min_side=camera.min_side, config=self.config, **prompt)
        for _ in drive(camera, session):
            self.frames += 1
            if session.steady:
                break
        answer = session.answer
        if answer is None:
            return np.zeros(camera.frame_size, bool), 0.0
        return paste_region(answer.logits, answer.region, camera.frame_size) > 0, answer.score

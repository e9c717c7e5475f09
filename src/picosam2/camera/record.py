"""What is written about the frames of a camera: overlays as PNG, and one JSON line a frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.camera.base import Frame
from picosam2.camera.session import Session
from picosam2.errors import InputError
from picosam2.output import save_png
from picosam2.overlay import draw_overlay


class Recorder:
    """Writes ``000001.png``, ``000002.png``, ... and ``frames.jsonl`` into a folder.

    Args:
        folder: new or empty.
        frame_size: H, W of the camera's frame in pixels.

    Raises:
        InputError: the folder is not empty.
    """

    def __init__(self, folder: Path, frame_size: tuple[int, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{folder} is not empty: give a new folder")
        self._folder = folder
        self._frame_size = frame_size
        self._lines = (folder / "frames.jsonl").open("w")

    def add(
        self, number: int, frame: Frame, session: Session, mask: NDArray[np.bool_] | None
    ) -> None:
        """Write one frame.

        Args:
            number: of the frame, from 1.
            frame: what the camera read.
            session: after it saw the frame.
            mask: to draw, of the preview's size; None while there is none.
        """
        self._lines.write(json.dumps(frame_record(number, frame, session)) + "\n")
        if frame.image is None:
            return
        picture = frame.image
        scale = picture.shape[0] / self._frame_size[0]
        region = session.region
        corners = (region.x, region.y, region.x + region.width, region.y + region.height)
        shown = np.zeros(picture.shape[:2], bool) if mask is None else mask
        overlay = draw_overlay(picture, shown, box=[scale * value for value in corners])
        save_png(overlay, self._folder / f"{number:06d}.png")

    def close(self) -> None:
        """Close the JSON file."""
        self._lines.close()


def frame_record(number: int, frame: Frame, session: Session) -> dict[str, Any]:
    """One frame, JSON-ready; pixels are those of the full frame.

    Returns:
        ``frame``; ``status``; ``region``, where the camera looks next (x, y, width, height);
        ``score`` and ``bbox`` (x, y, width, height) of the mask shown, None while there is none;
        ``inference_ms`` and ``dsp_ms``, None where they are not known.
    """
    region, answer = session.region, session.answer
    extent = None if answer is None else answer.extent
    bbox = None
    if extent is not None:
        x0, y0, x1, y1 = extent
        bbox = [round(float(value), 2) for value in (x0, y0, x1 - x0, y1 - y0)]
    return {
        "frame": number,
        "status": session.status,
        "region": [region.x, region.y, region.width, region.height],
        "score": None if answer is None else round(answer.score, 4),
        "bbox": bbox,
        "inference_ms": frame.inference_ms,
        "dsp_ms": frame.dsp_ms,
    }

"""What every teacher answers, and the geometry that SAM 2's image encoder wants."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

SIDE = 1024
LOGITS_SIDE = 256
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


class Teacher(Protocol):
    """SAM 2 behind two calls: embed a photograph once, then decode any number of prompts."""

    @property
    def name(self) -> str:
        """For the record of what made the labels."""

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Embed a photograph, H×W×3 uint8 RGB."""

    def predict(
        self, coords: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Answer L prompts of N points each on the embedded photograph.

        Args:
            coords: L×N×2, x and y in pixels of the photograph.
            labels: L×N; 1 and 0: a click on and off the object, 2 and 3: a box's corners.

        Returns:
            logits: L×3×256×256 float32, three masks a prompt, over the whole photograph.
            predicted_iou: L×3 float32, the teacher's own estimate.
        """


def click_prompts(points: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Coordinates and labels for L clicks, L×2 in pixels."""
    coords = np.asarray(points, np.float32).reshape(-1, 1, 2)
    return coords, np.ones(coords.shape[:2], np.int64)


def box_prompts(boxes: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Coordinates and labels for L boxes, L×4 xyxy in pixels."""
    coords = np.asarray(boxes, np.float32).reshape(-1, 2, 2)
    return coords, np.tile(np.array([2, 3]), (len(coords), 1))


def preprocess(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """SAM 2's input, 1×3×1024×1024 float32: stretched to a square, ImageNet-normalised."""
    square = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = (np.asarray(square, np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def to_square(coords: NDArray[np.float32], image_shape: tuple[int, int]) -> NDArray[np.float32]:
    """Coordinates in the photograph (height, width) to those in the stretched square."""
    height, width = image_shape
    return coords * np.array([SIDE / width, SIDE / height], np.float32)


def best_masks(
    logits: NDArray[np.float32], predicted_iou: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each prompt's three masks the one with the best predicted IoU: L×256×256 and L."""
    best = predicted_iou.argmax(axis=1)
    rows = np.arange(len(best))
    return logits[rows, best], predicted_iou[rows, best]

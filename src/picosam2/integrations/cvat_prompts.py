"""CVAT's prompts as the predictor's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def predictor_arguments(
    positive: Sequence[Sequence[float]], negative: Sequence[Sequence[float]], box: Any
) -> dict[str, Any]:
    """For ``Predictor.predict``.

    Args:
        positive: [x, y] of clicks on the object, in pixels.
        negative: of clicks beside it.
        box: x0, y0, x1, y1, or two corners; None for none.
    """
    asked: dict[str, Any] = {"multimask_output": False}
    if len(positive) or len(negative):
        asked["point_coords"] = [*positive, *negative]
        asked["point_labels"] = [1] * len(positive) + [0] * len(negative)
    if box is not None:
        asked["box"] = np.ravel(box)
    return asked

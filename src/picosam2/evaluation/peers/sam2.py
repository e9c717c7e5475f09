"""SAM 2 Hiera-Tiny: the teacher itself, and what its masks are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.evaluation.peers.grid import masks_of_grid
from picosam2.evaluation.segmenter import Click, Found, Mask, as_prompt
from picosam2.graph import Graph
from picosam2.teacher.base import LOGITS_SIDE, SIDE, best_masks, box_prompts, click_prompts
from picosam2.teacher.fetch import DECODER, ENCODER, SAM2_TINY
from picosam2.teacher.onnx import OnnxTeacher

# Of a mask that is given as a prompt.
LOGIT = 10.0


class Sam2Segmenter:
    """The best of its three masks by predicted IoU, up-sampled to the photograph.

    Args:
        threads: CPU threads of one call; 0 for all cores.

    Raises:
        InputError: its files are missing and cannot be fetched.
    """

    network = None
    finds_everything = True
    corrects = True

    def __init__(self, threads: int = 1) -> None:
        SAM2_TINY.fetch()
        self._teacher = OnnxTeacher(threads)
        self._shape = (0, 0)
        self._found: list[Found] | None = None
        self._logits = np.empty(0, np.float32)

    @property
    def description(self) -> dict[str, Any]:
        """Digests of its files."""
        return {"name": "SAM 2 Hiera-Tiny", "sha256": SAM2_TINY.digests}

    @property
    def image_graphs(self) -> list[Graph]:
        """The encoder."""
        return [Graph(SAM2_TINY.path / ENCODER, {"image": (1, 3, SIDE, SIDE)})]

    @property
    def prompt_graphs(self) -> list[Graph]:
        """The decoder."""
        inputs = {
            "image_embed": (1, 256, 64, 64),
            "high_res_feats_0": (1, 32, 256, 256),
            "high_res_feats_1": (1, 64, 128, 128),
            "point_coords": (1, 1, 2),
            "point_labels": (1, 1),
            "mask_input": (1, 1, LOGITS_SIDE, LOGITS_SIDE),
            "has_mask_input": (1,),
        }
        return [Graph(SAM2_TINY.path / DECODER, inputs)]

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """See ``Segmenter``."""
        self._teacher.set_image(image)
        self._shape, self._found = image.shape[:2], None

    def click(self, x: float, y: float) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        return self._ask(click_prompts([[x, y]]))

    def box(self, corners: tuple[float, float, float, float]) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        return self._ask(box_prompts([corners]))

    def clicks(self, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """See ``Interactive``; as SAM 2's documents say, with the logits before as mask prompt."""
        points, labels = as_prompt(clicks)
        return self._ask(
            (points[None].astype(np.float32), labels[None]),
            None if len(clicks) == 1 else self._logits,
        )

    def correct(self, mask: Mask, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """See ``Interactive``."""
        if len(clicks) == 1:
            shown = Image.fromarray(np.where(mask, np.float32(LOGIT), np.float32(-LOGIT)))
            size = (LOGITS_SIDE, LOGITS_SIDE)
            self._logits = np.asarray(shown.resize(size, Image.Resampling.BILINEAR))
        points, labels = as_prompt(clicks)
        return self._ask((points[None].astype(np.float32), labels[None]), self._logits)

    def everything(self) -> list[Found]:
        """See ``Segmenter``; all three masks of each click."""
        if self._found is None:
            self._found = masks_of_grid(
                lambda points: self._teacher.predict(*click_prompts(points)),
                self._shape,
                self._to_mask,
            )
        return self._found

    def _to_mask(self, logits: NDArray[np.float32]) -> Mask:
        full = Image.fromarray(logits).resize(self._shape[::-1], Image.Resampling.BILINEAR)
        return np.asarray(full) > 0

    def _ask(
        self,
        prompt: tuple[NDArray[np.float32], NDArray[np.int64]],
        before: NDArray[np.float32] | None = None,
    ) -> tuple[Mask, float]:
        logits, predicted_iou = best_masks(*self._teacher.predict(*prompt, before))
        self._logits = logits[0]
        return self._to_mask(logits[0]), float(predicted_iou[0])

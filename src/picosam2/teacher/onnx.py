"""SAM 2 Hiera-Tiny in ONNX Runtime."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from picosam2.runtime.session import open_session
from picosam2.teacher.base import LOGITS_SIDE, preprocess, to_square
from picosam2.teacher.fetch import DECODER, ENCODER, SAM2_TINY

# More prompts at once are no faster and take 25 MB each.
BATCH = 8


class OnnxTeacher:
    """SAM 2 Hiera-Tiny, fp32, on the CPU.

    Args:
        threads: CPU threads; with one, results are the same bits wherever it runs.

    Raises:
        InputError: the files are missing or damaged.
    """

    name = "sam2-hiera-tiny-onnx"

    def __init__(self, threads: int = 1) -> None:
        folder = SAM2_TINY.find()
        self._encoder, self._decoder = (
            open_session(folder / name, threads) for name in (ENCODER, DECODER)
        )
        self._features: dict[str, NDArray[np.float32]] = {}
        self._shape = (0, 0)

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Embed a photograph, H×W×3 uint8 RGB."""
        names = [output.name for output in self._encoder.get_outputs()]
        values = self._encoder.run(None, {"image": preprocess(image)})
        self._features = dict(zip(names, values, strict=True))
        self._shape = image.shape[:2]

    def predict(
        self,
        coords: NDArray[np.float32],
        labels: NDArray[np.int64],
        before: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Answer prompts on the embedded photograph; see ``Teacher.predict``.

        Args:
            coords: as there.
            labels: as there.
            before: 256×256 float32 logits of the mask before, the same for all; None for none.
        """
        points = to_square(coords, self._shape)
        answers = [
            self._decode(points[start : start + BATCH], labels[start : start + BATCH], before)
            for start in range(0, len(points), BATCH)
        ]
        logits, predicted_iou = zip(*answers, strict=True)
        return np.concatenate(logits), np.concatenate(predicted_iou)

    def _decode(
        self,
        points: NDArray[np.float32],
        labels: NDArray[np.int64],
        before: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mask = np.zeros((LOGITS_SIDE, LOGITS_SIDE), np.float32) if before is None else before
        inputs = self._features | {
            "point_coords": points,
            "point_labels": labels.astype(np.float32),
            "mask_input": np.repeat(mask[None, None], len(points), axis=0),
            "has_mask_input": np.array([before is not None], np.float32),
        }
        logits, predicted_iou = self._decoder.run(["masks", "iou_predictions"], inputs)
        return logits, predicted_iou

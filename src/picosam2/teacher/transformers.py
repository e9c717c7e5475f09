"""Any SAM 2 or SAM 2.1 checkpoint through ``transformers``, on a GPU where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Sam2Model
from transformers.utils import logging

from picosam2.errors import InputError
from picosam2.teacher.base import preprocess, to_square

BATCH = 64


class TransformersTeacher:
    """A ``Sam2Model``, with our own preprocessing: its image processor would want torchvision.

    Args:
        checkpoint: a folder, or ``owner/checkpoint`` such as ``facebook/sam2.1-hiera-tiny``;
            weights are read from safetensors only.
        threads: CPU threads.

    Raises:
        InputError: the checkpoint cannot be loaded.
    """

    def __init__(self, checkpoint: str, threads: int = 1) -> None:
        self.name = checkpoint
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            # Its annotations do not know of the second value.
            answer: Any = Sam2Model.from_pretrained(
                checkpoint, use_safetensors=True, output_loading_info=True
            )
        # huggingface_hub raises many kinds of errors for what is not there.
        except Exception as error:
            raise InputError(f"cannot load the teacher {checkpoint}: {error}") from None
        model, loaded = answer
        # What a checkpoint lacks would be drawn at random.
        if lacking := sorted({*loaded["missing_keys"], *map(str, loaded["mismatched_keys"])}):
            raise InputError(
                f"{checkpoint} is not a whole Sam2Model: {len(lacking)} weights are missing, "
                f"{lacking[0]} for one"
            )
        self._model = model.train(False)
        self._model.to(device=self._device)
        self._features: list[torch.Tensor] = []
        self._shape = (0, 0)

    @torch.inference_mode()
    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Embed a photograph, H×W×3 uint8 RGB."""
        pixels = torch.from_numpy(preprocess(image)).to(self._device)
        self._features = self._model.get_image_embeddings(pixels)
        self._shape = image.shape[:2]

    @torch.inference_mode()
    def predict(
        self, coords: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Answer prompts on the embedded photograph; see ``Teacher.predict``."""
        points = torch.from_numpy(to_square(coords, self._shape)).to(self._device)
        # Sam2Model takes boxes by themselves, and pads clicks but not boxes.
        boxes = bool((labels >= 2).all())
        logits, predicted_iou = [], []
        for start in range(0, len(points), BATCH):
            part = points[start : start + BATCH]
            if boxes:
                prompt = {"input_boxes": part.reshape(1, -1, 4)}
            else:
                kinds = torch.from_numpy(labels[start : start + BATCH]).to(self._device)
                prompt = {"input_points": part[None], "input_labels": kinds[None]}
            answer = self._model(image_embeddings=self._features, **prompt)
            logits.append(answer.pred_masks[0].float().cpu().numpy())
            predicted_iou.append(answer.iou_scores[0].float().cpu().numpy())
        return np.concatenate(logits), np.concatenate(predicted_iou)

"""Losses by name. A loss takes mask logits and the batch and gives one value an object.

A distillation loss takes its place beside ``supervised`` in ``LOSSES``; what it needs of the
teacher travels in :class:`~picosam2.training.crops.Batch`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from picosam2.training.crops import Batch


def bce_dice(logits: Tensor, target: Tensor) -> Tensor:
    """½ BCE + ½ Dice: the ground-truth part of PicoSAM2's loss (section 3).

    Dice is 1 − (2 Σpt + 1) / (Σp + Σt + 1) with p the sigmoid of the logits and t the target.

    Args:
        logits: B×1×S×S float32.
        target: B×1×S×S float32 in 0..1.

    Returns:
        B float32.
    """
    dims = (1, 2, 3)
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dims)
    probability = logits.sigmoid()
    overlap = (probability * target).sum(dims)
    dice = 1 - (2 * overlap + 1) / (probability.sum(dims) + target.sum(dims) + 1)
    return 0.5 * bce + 0.5 * dice


def supervised(logits: Tensor, batch: Batch) -> Tensor:
    """``bce_dice`` against the object's mask."""
    return bce_dice(logits, batch.masks)


def soft_mix(logits: Tensor, batch: Batch) -> Tensor:
    """λ ``bce_dice`` against the teacher's sigmoids + (1−λ) ``bce_dice`` against the mask.

    λ is half the teacher's predicted IoU.
    """
    share = 0.5 * batch.teacher_iou
    teacher = bce_dice(logits, batch.teacher.sigmoid())
    return share * teacher + (1 - share) * bce_dice(logits, batch.masks)


LOSSES: dict[str, Callable[[Tensor, Batch], Tensor]] = {
    "supervised": supervised,
    "soft_mix": soft_mix,
}


@torch.no_grad()
def whole_object_iou(logits: Tensor, batch: Batch) -> Tensor:
    """IoU of each predicted mask with its whole object, whose pixels outside the crop are missed.

    Args:
        logits: B×1×S×S float32; above 0 is object.
        batch: its ``masks`` and ``area`` are the object.

    Returns:
        B float32 in 0..1.
    """
    dims = (1, 2, 3)
    predicted = logits > 0
    intersection = (predicted * batch.masks).sum(dims)
    area = torch.maximum(batch.area, batch.masks.sum(dims))
    return intersection / (predicted.sum(dims) + area - intersection).clamp(min=1e-6)


def iou_loss(iou_logits: Tensor, iou: Tensor) -> Tensor:
    """Binary cross-entropy of the predicted IoU with the true one; smallest when they are equal.

    Args:
        iou_logits: B×1×1×1 float32.
        iou: B float32 in 0..1.

    Returns:
        B float32.
    """
    return F.binary_cross_entropy_with_logits(iou_logits.flatten(), iou, reduction="none")

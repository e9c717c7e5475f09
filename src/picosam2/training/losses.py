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

PIXELS = (1, 2, 3)
RETAINED_SHARE = 0.5


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy: B×1×S×S logits, B×1×S×S target in 0..1 → B."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(PIXELS)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """1 − (2 Σpt + 1) / (Σp + Σt + 1), p the sigmoid of the B×1×S×S logits → B."""
    probability = logits.sigmoid()
    overlap = (probability * target).sum(PIXELS)
    return 1 - (2 * overlap + 1) / (probability.sum(PIXELS) + target.sum(PIXELS) + 1)


def mse(logits: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the sigmoids of two B×1×S×S logits → B.

    On sigmoids, as the paper's released code has it. The paper does not say; on logits the far
    background would rule, where a teacher says −10 or −20 and any of them is as good.
    """
    return (logits.sigmoid() - teacher.sigmoid()).square().mean(PIXELS)


def supervised(logits: Tensor, batch: Batch) -> Tensor:
    """½ BCE + ½ Dice against the mask: the ground-truth part of PicoSAM2's loss (section 3).

    Args:
        logits: B×1×S×S float32.
        batch: its ``masks`` are the target.

    Returns:
        B float32.
    """
    return 0.5 * bce(logits, batch.masks) + 0.5 * dice(logits, batch.masks)


def paper(logits: Tensor, batch: Batch) -> Tensor:
    """λ MSE(student, teacher) + (1 − λ) (½ BCE + ½ Dice against the mask).

    PicoSAM2 (arXiv 2506.18807), section 3: λ is the teacher's predicted IoU. Objects without a
    human mask have the teacher's part alone.
    """
    share = batch.teacher_share
    return share * mse(logits, batch.teacher) + (1 - share) * supervised(logits, batch)


def released(logits: Tensor, batch: Batch) -> Tensor:
    """λ (MSE + Dice against the teacher's sigmoids) + (1 − λ) (BCE + Dice against the mask).

    The form of PicoSAM2's released training code; λ as in ``paper``.
    """
    share = batch.teacher_share
    teacher = mse(logits, batch.teacher) + dice(logits, batch.teacher.sigmoid())
    truth = bce(logits, batch.masks) + dice(logits, batch.masks)
    return share * teacher + (1 - share) * truth


def soft(logits: Tensor, batch: Batch) -> Tensor:
    """½ BCE + ½ Dice against λ/2 of the teacher's sigmoids and 1 − λ/2 of the mask.

    BCE's gradient does not vanish where the student is sure and wrong, as that of the squared
    difference of sigmoids does; half a share keeps human edges, which are finer than 64×64 tiles.
    """
    target = soft_target(batch)
    return 0.5 * bce(logits, target) + 0.5 * dice(logits, target)


def soft_target(batch: Batch) -> Tensor:
    """Between the mask and the teacher's sigmoids: B×1×S×S float32 in 0..1; see ``soft``.

    Where earlier networks were asked too, half of it is what they say.
    """
    share = torch.where(batch.teacher_share < 1, batch.teacher_share / 2, 1.0)
    target = torch.lerp(batch.masks, batch.teacher.sigmoid(), share[:, None, None, None])
    if batch.retained is None:
        return target
    retained, asked = batch.retained
    return target.index_copy(0, asked, torch.lerp(target[asked], retained, RETAINED_SHARE))


LOSSES: dict[str, Callable[[Tensor, Batch], Tensor]] = {
    "supervised": supervised,
    "paper": paper,
    "released": released,
    "soft": soft,
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

"""Prompts to network input: one batched warp of photographs and masks, then colour changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from picosam2.data.soft import STEPS_PER_LOGIT, ZERO
from picosam2.marks import TINT
from picosam2.model import ModelConfig
from picosam2.training.objects import TrainingObjects
from picosam2.training.sampler import Prompts

# What is pasted keeps this many pixels off the prompt, and leaves this share of the object.
CLEAR, LEAST_SEEN = 4, 0.5


@dataclass(frozen=True)
class Batch:
    """What a training step sees.

    Args:
        images: B×3×S×S float32, normalised as the network's family wants it.
        masks: B×1×S×S float32 in 0..1, the share of each pixel that the object covers.
        area: B float32, pixels that the *whole* object would cover at the crop's scale.
        teacher: B×1×S×S float32, the teacher's logits in −8..8.
        teacher_share: B float32 in 0..1, the teacher's share in the target: its predicted IoU, 0
            where there is no teacher, 1 where there is nothing else.
        prior: B×2×S×S float32 in −1..1, the mask before and the clicks, for a correcting network;
            else None.
        retained: R×1×S×S float32 in 0..1, what earlier networks say (``training.retention``), and
            R int64, of which rows; else None.
    """

    images: Tensor
    masks: Tensor
    area: Tensor
    teacher: Tensor
    teacher_share: Tensor
    prior: Tensor | None = None
    retained: tuple[Tensor, Tensor] | None = None


def cut_crops(
    objects: TrainingObjects, prompts: Prompts, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut the prompts' crops from the photographs and from the objects' masks.

    Returns:
        B×3×size×size float32 RGB in 0..255, black outside the photograph, and B×1×size×size
        float32 mask coverage in 0..1, and B×1×size×size float32 logits of the teacher.
    """
    device = objects.images.pixels.device

    def on_device(values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(device)

    step = on_device(prompts.side / size).float()
    cos = on_device(np.cos(prompts.angle)).float() * step
    sin = on_device(np.sin(prompts.angle)).float() * step
    mirror = on_device(np.where(prompts.flip, -1.0, 1.0)).float()
    rotation = torch.stack([cos * mirror, -sin, sin * mirror, cos], dim=-1).view(-1, 1, 1, 2, 2)
    axis = torch.arange(size, dtype=torch.float32, device=device) + 0.5 - size / 2
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    points = (rotation @ grid[None, ..., None]).squeeze(-1)
    points = points + on_device(prompts.centre).float()[:, None, None]
    index = on_device(prompts.index)
    origin = on_device(objects.mask_origin[prompts.index]).float()[:, None, None]
    images = objects.images.sample(on_device(objects.image_index[prompts.index]), points, step)
    masks = objects.masks.sample(index, points - origin, step)
    square = on_device(objects.tile_square[prompts.index]).float()[:, None, None]
    place = (points - square[..., :2]) / square[..., 2:] * 2 - 1
    tiles = objects.tiles[index].float() / STEPS_PER_LOGIT
    # Zero padding is the least logit: far from its object the teacher says no.
    soft = F.grid_sample(tiles, place, align_corners=False) - ZERO / STEPS_PER_LOGIT
    return images, masks / 255, soft


def paste(
    objects: TrainingObjects,
    prompts: Prompts,
    images: Tensor,
    masks: Tensor,
    soft: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Paste other objects over the crops, but not over their prompts or most of their object.

    Args:
        objects: the photographs.
        prompts: of the B crops; ``pasted`` says over which.
        images: B×3×S×S float32, see :func:`cut_crops`.
        masks: B×1×S×S float32, likewise.
        soft: B×1×S×S float32, likewise.

    Returns:
        The same three, where what is pasted hides the object.
    """
    size = images.shape[-1]
    others, cover, _ = cut_crops(objects, prompts.of_pasted(), size)
    rows = torch.from_numpy(np.flatnonzero(prompts.pasted >= 0)).to(images.device)
    before = masks[rows]
    middle = slice(size // 2 - CLEAR, size // 2 + CLEAR)
    clear = cover[..., middle, middle].amax(dim=(1, 2, 3)) == 0
    seen = (before * (1 - cover)).sum(dim=(1, 2, 3)) >= LEAST_SEEN * before.sum(dim=(1, 2, 3))
    cover = cover * (clear & seen)[:, None, None, None]
    return (
        images.index_copy(0, rows, torch.lerp(images[rows], others, cover)),
        masks.index_copy(0, rows, before * (1 - cover)),
        soft.index_copy(0, rows, torch.where(cover > 0.5, -ZERO / STEPS_PER_LOGIT, soft[rows])),
    )


def change_colours(images: Tensor, prompts: Prompts) -> Tensor:
    """Apply the prompts' brightness, white balance, saturation and contrast.

    Args:
        images: B×3×S×S float32 in 0..255.
        prompts: of the same B crops.
    """

    def factor(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(images).view(len(images), -1, 1, 1)

    # Black padding stays black, as the predictor has it.
    inside = (images > 0).any(dim=1, keepdim=True)
    grey = images.mean(dim=1, keepdim=True)
    images = (grey + (images - grey) * factor(prompts.saturation)) * factor(prompts.gain)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * factor(prompts.contrast) + mean).clamp(0, 255) * inside


def mark_boxes(images: Tensor, prompts: Prompts) -> Tensor:
    """Tint what lies outside the prompts' boxes, as :func:`picosam2.marks.mark_box` does.

    Args:
        images: B×3×S×S float32 in 0..255.
        prompts: of the same B crops.
    """
    size = images.shape[-1]
    half = torch.from_numpy(prompts.box).to(images)[..., None] * (size / 2)
    away = (torch.arange(size).to(images) + 0.5 - size / 2).abs()
    columns, rows = (away < half).unbind(1)
    inside = (rows[:, :, None] & columns[:, None])[:, None]
    tint = torch.tensor(TINT).to(images).view(1, 3, 1, 1)
    return torch.where(inside, images, (images + tint) / 2)


def make_batch(objects: TrainingObjects, prompts: Prompts, size: int, model: ModelConfig) -> Batch:
    """Cut, recolour and normalise a batch of size×size crops for a network."""
    images, masks, soft = cut_crops(objects, prompts, size)
    whole = masks.sum(dim=(1, 2, 3))
    if (prompts.pasted >= 0).any():
        images, masks, soft = paste(objects, prompts, images, masks, soft)
    covered = whole - masks.sum(dim=(1, 2, 3))
    images = mark_boxes(change_colours(images, prompts), prompts)
    mean, std = (
        torch.tensor(values).to(images).view(1, 3, 1, 1) * 255 for values in (model.mean, model.std)
    )
    area = torch.from_numpy(objects.area[prompts.index] * (size / prompts.side) ** 2).to(images)
    teacher_share = torch.from_numpy(objects.teacher_share[prompts.index]).to(images)
    return Batch((images - mean) / std, masks, area - covered, soft, teacher_share)

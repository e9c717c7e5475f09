"""What a correcting network is trained on: its own answers, and clicks in what is wrong with them.

Trained on masks that others damaged, such a network learns to copy the mask it is given. So a batch
begins with a first answer (by the network of the first look, by itself after one click, or a
damaged true mask), and up to three times a click into the largest wrong region and its own answer
replace it (iterative training: RITM, Sofiiuk et al. 2021, arXiv 2102.06583, section 3.3). Others
begin with the frame before: the true mask of the crop a little moved, turned and scaled, which its
own answers to further such frames replace, without clicks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from picosam2.model import ModelConfig, PicoSAM2
from picosam2.predictor.prior import draw_click
from picosam2.training.crops import Batch, make_batch
from picosam2.training.objects import TrainingObjects
from picosam2.training.priors import (
    Row,
    Rows,
    begin_video,
    begin_with_damage,
    begin_with_look,
    end_video,
    take_answer,
)
from picosam2.training.sampler import Prompts, SamplerConfig, draw_prompts, log_uniform

FIRST_LOOK, OWN, DAMAGED, MOVED = range(4)
# How often a crop begins with each of them.
SHARES = (0.42, 0.08, 0.28, 0.22)
# How often a batch has that many rounds of its own answers.
ROUNDS = (0.25, 0.3, 0.25, 0.2)
# The crop's side, as a multiple of the object's longer side; how far it lies off the object's
# centre, as a share of what it has to spare.
SIDE = (0.8, 3.5)
OFF_CENTRE = 0.5
# Of the first look: the crop's side, as a multiple of the object's.
FIRST_SIDE = (0.5, 4.0)
# Deviations of what a frame moves (in lengths of the object), scales (natural logarithm) and turns
# (in radians).
MOVE, SCALE, TURN = 0.1, 0.06, 0.05


@dataclass(frozen=True)
class Beginnings:
    """B crops and how each begins; arrays have one row a crop.

    Args:
        prompts: the crops.
        kind: B int64, one of the kinds above.
        click: B×2 float64, the first click in the photograph's pixels.
        first_side: B float64, side of the first look's crop in the photograph's pixels.
        seed: B int64, of what is drawn later.
    """

    prompts: Prompts
    kind: NDArray[np.int64]
    click: NDArray[np.float64]
    first_side: NDArray[np.float64]
    seed: NDArray[np.int64]

    def part(self, rank: int, world_size: int) -> Beginnings:
        """The share of one of ``world_size`` equal processes."""
        mine = slice(rank, None, world_size)
        return Beginnings(
            self.prompts.part(rank, world_size),
            self.kind[mine],
            self.click[mine],
            self.first_side[mine],
            self.seed[mine],
        )


def draw_beginnings(
    objects: TrainingObjects, batch: int, rng: np.random.Generator, config: SamplerConfig
) -> Beginnings:
    """Draw crops about objects, not always fitted, and first clicks on them."""
    # The first look, the crop and its next frame show different parts: nothing can be pasted, and
    # boxes come as priors.
    prompts = draw_prompts(objects, batch, rng, replace(config, paste=0.0, marked=0.0))
    extent = objects.extent[prompts.index]
    size = extent[:, 2:] - extent[:, :2]
    longer = size.max(axis=1)
    side = np.maximum(longer * log_uniform(rng, *SIDE, batch), config.min_side)
    spare = np.abs(side[:, None] - size) * OFF_CENTRE
    centre = (extent[:, :2] + extent[:, 2:]) / 2 + rng.uniform(-0.5, 0.5, (batch, 2)) * spare
    first = np.maximum(longer * log_uniform(rng, *FIRST_SIDE, batch), config.min_side)
    clicks = objects.clicks[prompts.index, rng.integers(objects.clicks.shape[1], size=batch)]
    return Beginnings(
        replace(prompts, centre=centre, side=side),
        rng.choice(len(SHARES), size=batch, p=SHARES),
        clicks,
        first,
        rng.integers(2**31, size=batch),
    )


def draw_rounds(rng: np.random.Generator) -> int:
    """How many of its own answers the network sees before the one that it learns from."""
    return int(rng.choice(len(ROUNDS), p=ROUNDS))


@dataclass(frozen=True)
class Players:
    """Who makes up what a correcting network is trained on.

    Args:
        network: the correcting one; it is asked as it stands, without learning.
        first_look: answers first clicks.
        rows: draws the priors.
    """

    network: PicoSAM2
    first_look: PicoSAM2
    rows: Rows = field(default_factory=Rows)


def play(
    players: Players,
    objects: TrainingObjects,
    beginnings: Beginnings,
    rounds: int,
    size: int,
    model: ModelConfig,
) -> Batch:
    """A batch whose prior is what the network has to correct.

    Args:
        players: who answers.
        objects: the photographs.
        beginnings: what to begin with.
        rounds: how many answers of the network replace each other.
        size: S, side of the crops in pixels.
        model: the networks' configuration.
    """
    batch = make_batch(objects, beginnings.prompts, size, model)
    truth = (batch.masks[:, 0] > 0.5).cpu().numpy()
    generators = np.array([np.random.default_rng(seed) for seed in beginnings.seed], object)
    prior = np.zeros((len(truth), 2, size, size), np.int8)

    def change(chosen: NDArray[np.intp], function: Callable[..., Row], *columns: Any) -> None:
        """Replace the priors of some crops."""
        changed = players.rows.map(function, prior[chosen], generators[chosen], *columns)
        for row, (planes, rng) in zip(chosen.tolist(), changed, strict=True):
            prior[row], generators[row] = planes, rng

    looked, own, damaged, moved = (np.flatnonzero(beginnings.kind == k) for k in range(4))
    clicks = _clicks_in_crops(beginnings, size)
    if len(looked):
        answers, scale = _look(players.first_look, objects, beginnings, looked, size, model)
        change(looked, begin_with_look, truth[looked], clicks[looked], answers, scale)
    for row in own.tolist():
        draw_click(prior[row, 1], clicks[row, 0], clicks[row, 1], positive=True)
    change(damaged, begin_with_damage, truth[damaged])
    if len(moved):
        first = _move(objects, beginnings, moved, generators, size, model)
        change(moved, begin_video, (first.masks[:, 0] > 0.5).cpu().numpy())
    for _ in range(rounds):
        images = batch.images
        if len(moved):
            # The crop stays where it is, and the object moves in it.
            images = images.clone()
            frames = _move(objects, beginnings, moved, generators, size, model)
            images[torch.from_numpy(moved)] = frames.images
        shown = torch.from_numpy(prior).to(images)
        answers = (answer(players.network, images, shown) > 0)[:, 0].cpu().numpy()
        change(np.arange(len(prior)), take_answer, truth, answers, beginnings.kind != MOVED)
    change(moved, end_video, truth[moved])
    return replace(batch, prior=torch.from_numpy(prior).to(batch.images))


@torch.no_grad()
def answer(network: PicoSAM2, images: Tensor, prior: Tensor | None = None) -> Tensor:
    """Mask logits, B×1×S×S, by the statistics of use."""
    training = network.training
    network.eval()
    logits: Tensor = network(images.contiguous(memory_format=torch.channels_last), prior)[0]
    network.train(training)
    return logits.float()


def _clicks_in_crops(beginnings: Beginnings, size: int) -> NDArray[np.float64]:
    """The first clicks, B×2, x and y in the pixels of size×size crops."""
    prompts = beginnings.prompts
    # From the photograph's pixels to the crop's, about the centres of both: rotation and mirror.
    cos, sin = np.cos(prompts.angle), np.sin(prompts.angle)
    mirror = np.where(prompts.flip, -1.0, 1.0)
    inverse = np.array([[cos * mirror, sin * mirror], [-sin, cos]]).transpose(2, 0, 1)
    moved = (inverse @ (beginnings.click - prompts.centre)[..., None])[..., 0]
    clicks: NDArray[np.float64] = moved * size / prompts.side[:, None] + size / 2
    return clicks


def _look(
    first_look: PicoSAM2,
    objects: TrainingObjects,
    beginnings: Beginnings,
    rows: NDArray[np.intp],
    size: int,
    model: ModelConfig,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Answers to the first clicks, R×S×S logits, and their pixels a pixel of the crop, R."""
    prompts = beginnings.prompts.rows(rows)
    looks = replace(prompts, centre=beginnings.click[rows], side=beginnings.first_side[rows])
    images = make_batch(objects, looks, size, model).images
    return answer(first_look, images)[:, 0].cpu().numpy(), prompts.side / looks.side


def _move(
    objects: TrainingObjects,
    beginnings: Beginnings,
    rows: NDArray[np.intp],
    generators: NDArray[np.object_],
    size: int,
    model: ModelConfig,
) -> Batch:
    """Another frame of each of these crops' videos."""
    prompts = beginnings.prompts.rows(rows)
    drawn = np.array([generators[row].normal(size=4) for row in rows])
    extent = objects.extent[prompts.index]
    longer = (extent[:, 2:] - extent[:, :2]).max(axis=1, keepdims=True)
    frames = replace(
        prompts,
        centre=prompts.centre + MOVE * longer * drawn[:, :2],
        side=prompts.side * np.exp(SCALE * drawn[:, 2]),
        angle=prompts.angle + TURN * drawn[:, 3],
    )
    return make_batch(objects, frames, size, model)

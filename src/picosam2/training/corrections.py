"""What a correcting network is trained on: its own answers, and clicks in what is wrong with them.

Trained on masks that others damaged, such a network learns to copy the mask it is given. So a batch
begins with a first answer (by the network of the first look, by itself after one click, or a
damaged true mask), and up to three times a click into the largest wrong region and its own answer
replace it (iterative training: RITM, Sofiiuk et al. 2021, arXiv 2102.06583, section 3.3). Others
begin with the frame before: the true mask of the crop a little moved, turned and scaled, which its
own answers to further such frames replace, without clicks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from picosam2.damage import Damage
from picosam2.masks import keep_touching
from picosam2.model import ModelConfig, PicoSAM2
from picosam2.predictor.prior import draw_click
from picosam2.training.crops import Batch, make_batch
from picosam2.training.objects import TrainingObjects
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
# The damage that a damaged mask, and the first of a video, may have.
STRONGEST, MOST_OF_FRAME = 0.5, 0.1
# Deviations of what a frame moves (in lengths of the object), scales (natural logarithm) and turns
# (in radians).
MOVE, SCALE, TURN = 0.1, 0.06, 0.05
# How often a mask of a video gets a click before the network learns from it.
MOVED_CLICK = 0.2


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
    prompts = draw_prompts(objects, batch, rng, config)
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


def play(
    network: PicoSAM2,
    first_look: PicoSAM2,
    objects: TrainingObjects,
    beginnings: Beginnings,
    rounds: int,
    size: int,
    model: ModelConfig,
) -> Batch:
    """A batch whose prior is what the network has to correct.

    Args:
        network: the correcting one; it is asked as it stands, without learning.
        first_look: answers first clicks.
        objects: the photographs.
        beginnings: what to begin with.
        rounds: how many answers of ``network`` replace each other.
        size: S, side of the crops in pixels.
        model: the networks' configuration.
    """
    batch = make_batch(objects, beginnings.prompts, size, model)
    truth = (batch.masks[:, 0] > 0.5).cpu().numpy()
    generators = [np.random.default_rng(seed) for seed in beginnings.seed]
    prior = np.zeros((len(truth), 2, size, size), np.int8)
    _begin(prior, first_look, objects, beginnings, truth, generators, model)
    moved = np.flatnonzero(beginnings.kind == MOVED)
    for row, (kind, rng) in enumerate(zip(beginnings.kind, generators, strict=True)):
        if kind in (FIRST_LOOK, DAMAGED):
            _add_click(prior[row], truth[row], rng)
    if len(moved):
        first = _move(objects, beginnings, moved, generators, size, model)
        _begin_video(prior, moved, first, generators)
    for _ in range(rounds):
        images = batch.images
        if len(moved):
            # The crop stays where it is, and the object moves in it.
            images = images.clone()
            frames = _move(objects, beginnings, moved, generators, size, model)
            images[torch.from_numpy(moved)] = frames.images
        shown = torch.from_numpy(prior).to(images)
        answers = (_answer(network, images, shown) > 0)[:, 0].cpu().numpy()
        for row, answer in enumerate(answers):
            prior[row, 0] = np.where(answer, 1, -1)
            if beginnings.kind[row] != MOVED:
                _add_click(prior[row], truth[row], generators[row])
    for row in moved.tolist():
        if generators[row].random() < MOVED_CLICK:
            _add_click(prior[row], truth[row], generators[row])
    return replace(batch, prior=torch.from_numpy(prior).to(batch.images))


@torch.no_grad()
def _answer(network: PicoSAM2, images: Tensor, prior: Tensor | None = None) -> Tensor:
    """Mask logits, B×1×S×S, by the statistics of use."""
    training = network.training
    network.eval()
    logits: Tensor = network(images.contiguous(memory_format=torch.channels_last), prior)[0]
    network.train(training)
    return logits.float()


def _begin(
    prior: NDArray[np.int8],
    first_look: PicoSAM2,
    objects: TrainingObjects,
    beginnings: Beginnings,
    truth: NDArray[np.bool_],
    generators: list[np.random.Generator],
    model: ModelConfig,
) -> None:
    """Fill in what each crop begins with, and the first clicks of those that begin with one."""
    size = truth.shape[-1]
    prompts, kind = beginnings.prompts, beginnings.kind
    # From the photograph's pixels to the crop's, about the centres of both: rotation and mirror.
    cos, sin = np.cos(prompts.angle), np.sin(prompts.angle)
    mirror = np.where(prompts.flip, -1.0, 1.0)
    inverse = np.array([[cos * mirror, sin * mirror], [-sin, cos]]).transpose(2, 0, 1)
    step = prompts.side / size
    moved = (inverse @ (beginnings.click - prompts.centre)[..., None])[..., 0]
    clicks = moved / step[:, None] + size / 2
    middle = (slice(size // 2, size // 2 + 1),) * 2
    looked = np.flatnonzero(kind == FIRST_LOOK)
    if len(looked):
        looks = replace(
            prompts.rows(looked),
            centre=beginnings.click[looked],
            side=beginnings.first_side[looked],
        )
        images = make_batch(objects, looks, size, model).images
        answers = _answer(first_look, images)[:, 0].cpu().numpy()
        for row, look, answer in zip(looked.tolist(), looks.side / size, answers, strict=True):
            scale = step[row] / look
            # The first look's centre is the click.
            shift = size / 2 - scale * clicks[row]
            matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
            # cv2 counts pixel centres as whole numbers.
            matrix[:, 2] += 0.5 * scale - 0.5
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            warped = cv2.warpAffine(
                keep_touching(answer, middle), matrix, (size, size), flags=flags, borderValue=-1.0
            )
            prior[row, 0] = np.where(warped > 0, 1, -1)
    for row, rng in enumerate(generators):
        if kind[row] == DAMAGED and truth[row].any():
            damage = Damage.draw(rng).apply(truth[row], rng.uniform(0, STRONGEST))
            prior[row, 0] = np.where(damage, 1, -1)
        elif kind[row] in (FIRST_LOOK, OWN):
            x, y = clicks[row]
            draw_click(prior[row, 1], x, y, positive=True)


def _move(
    objects: TrainingObjects,
    beginnings: Beginnings,
    rows: NDArray[np.intp],
    generators: list[np.random.Generator],
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


def _begin_video(
    prior: NDArray[np.int8],
    rows: NDArray[np.intp],
    frame: Batch,
    generators: list[np.random.Generator],
) -> None:
    """Fill in the true masks of the first frames, a little damaged."""
    for row, truth in zip(rows, (frame.masks[:, 0] > 0.5).cpu().numpy(), strict=True):
        rng = generators[row]
        mask = (
            Damage.draw(rng).apply(truth, rng.uniform(0, MOST_OF_FRAME)) if truth.any() else truth
        )
        prior[row, 0] = np.where(mask, 1, -1)


def _add_click(prior: NDArray[np.int8], truth: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Click into the largest region where the mask before is wrong, likelier far from its edge."""
    wrong = (prior[0] > 0) != truth
    _, labels, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=4)
    if len(stats) == 1:
        return
    region = labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    # A border of zeros: the crop's edge counts as the region's edge.
    padded = np.pad(region.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(region)
    weights = distance[rows, columns].astype(np.float64) ** 2
    chosen = np.searchsorted(weights.cumsum(), rng.random() * weights.sum())
    row, column = rows[chosen], columns[chosen]
    draw_click(prior[1], column + 0.5, row + 0.5, bool(truth[row, column]))

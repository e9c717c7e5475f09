"""What one crop shows a correcting network beside the photograph, step by step, on the host.

NumPy and OpenCV alone: where a GPU waits for it, other processes do it (``Rows``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from picosam2.damage import Damage
from picosam2.masks import keep_touching
from picosam2.predictor.prior import draw_click
from picosam2.processes import usable_cores, worker_pool

# The damage that a damaged mask, and the first of a video, may have.
STRONGEST, MOST_OF_FRAME = 0.5, 0.1
# How often a mask of a video gets a click before the network learns from it.
MOVED_CLICK = 0.2

# One crop's prior (2×S×S int8) and what its later draws come from.
Row = tuple[NDArray[np.int8], np.random.Generator]


class Rows:
    """Applies a function to every crop of a batch, in this process or in several.

    Args:
        pool: where; None for here.
        workers: how many processes it has.
    """

    def __init__(self, pool: Executor | None = None, workers: int = 1) -> None:
        self._pool, self._workers = pool, workers

    def map(self, function: Callable[..., Any], *columns: Any) -> list[Any]:
        """The function's value for each row of the columns, all of one length."""
        rows = list(zip(*columns, strict=True))
        if self._pool is None:
            return _apply(function, rows)
        parts = [rows[start :: self._workers] for start in range(self._workers)]
        done = list(self._pool.map(_apply, [function] * len(parts), parts))
        return [done[k % self._workers][k // self._workers] for k in range(len(rows))]


def _apply(function: Callable[..., Any], rows: list[tuple[Any, ...]]) -> list[Any]:
    return [function(*row) for row in rows]


@contextlib.contextmanager
def open_rows(processes: int) -> Iterator[Rows]:
    """Rows for a training whose network is on a GPU: the machine's other cores do them.

    Args:
        processes: that train on this machine, and share its cores.
    """
    workers = usable_cores() // processes - 1
    if workers < 2:
        yield Rows()
        return
    with worker_pool(workers, _nothing) as pool:
        yield Rows(pool, workers)


def _nothing() -> None:
    # One thread each: there are as many processes as cores.
    cv2.setNumThreads(1)


def begin_with_look(
    prior: NDArray[np.int8],
    rng: np.random.Generator,
    truth: NDArray[np.bool_],
    click: NDArray[np.float64],
    answer: NDArray[np.float32],
    scale: float,
) -> Row:
    """The answer of the first look to a click, the click, and one in what is wrong.

    Args:
        prior: 2×S×S int8, empty.
        rng: what is drawn from.
        truth: S×S bool.
        click: x and y in the crop's pixels.
        answer: S×S float32 logits of the first look, whose middle is the click.
        scale: pixels of the first look a pixel of the crop.
    """
    size = len(truth)
    middle = (slice(size // 2, size // 2 + 1),) * 2
    shift = size / 2 - scale * click
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    # cv2 counts pixel centres as whole numbers.
    matrix[:, 2] += 0.5 * scale - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(
        keep_touching(answer, middle), matrix, (size, size), flags=flags, borderValue=-1.0
    )
    prior[0] = np.where(warped > 0, 1, -1)
    draw_click(prior[1], click[0], click[1], positive=True)
    add_click(prior, rng, truth)
    return prior, rng


def begin_with_damage(
    prior: NDArray[np.int8], rng: np.random.Generator, truth: NDArray[np.bool_]
) -> Row:
    """The true mask, damaged, and a click in what is wrong."""
    if truth.any():
        damage = Damage.draw(rng).apply(truth, rng.uniform(0, STRONGEST))
        prior[0] = np.where(damage, 1, -1)
    add_click(prior, rng, truth)
    return prior, rng


def begin_video(prior: NDArray[np.int8], rng: np.random.Generator, truth: NDArray[np.bool_]) -> Row:
    """The true mask of the frame before, a little damaged."""
    mask = Damage.draw(rng).apply(truth, rng.uniform(0, MOST_OF_FRAME)) if truth.any() else truth
    prior[0] = np.where(mask, 1, -1)
    return prior, rng


def take_answer(
    prior: NDArray[np.int8],
    rng: np.random.Generator,
    truth: NDArray[np.bool_],
    answer: NDArray[np.bool_],
    clicked: bool,
) -> Row:
    """The network's own answer takes the mask's place; with a click in what is wrong with it."""
    prior[0] = np.where(answer, 1, -1)
    if clicked:
        add_click(prior, rng, truth)
    return prior, rng


def end_video(prior: NDArray[np.int8], rng: np.random.Generator, truth: NDArray[np.bool_]) -> Row:
    """Now and then a click in what is wrong with the mask of a video."""
    if rng.random() < MOVED_CLICK:
        add_click(prior, rng, truth)
    return prior, rng


def add_click(prior: NDArray[np.int8], rng: np.random.Generator, truth: NDArray[np.bool_]) -> None:
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

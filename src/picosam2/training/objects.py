"""The training objects: every photograph decoded in memory, every mask, and where one may click."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from picosam2.data.photograph import Photograph, is_sure
from picosam2.data.problems import Kind
from picosam2.data.schema import Annotation
from picosam2.data.soft import TILE
from picosam2.data.source import Source, note_damaged
from picosam2.errors import InputError
from picosam2.masks import extent_centre
from picosam2.processes import usable_cores
from picosam2.training.mipmaps import ALIGN, Mipmaps

CLICKS = 32
MIN_AREA = 16
# A human mask always counts for something.
MAX_SHARE = 0.99

# A tile of logits, its square, and the teacher's share in the target.
_SoftTarget = tuple[NDArray[np.uint8], tuple[float, float, float], float]


@dataclass
class TrainingObjects:
    """N objects of M photographs, ready for batched cropping; arrays have one row an object.

    Args:
        images: the M photographs.
        image_size: M×2 int64, their height and width.
        masks: the N masks, each cut to its extent.
        image_index: N int64.
        mask_origin: N×2 int64, x and y of the mask's cut in the photograph.
        extent: N×4 float64, xyxy of the mask's pixels.
        area: N float64, the mask's pixels.
        native_scale: N float64, stored size / original size of the photograph.
        centre: N×2 float64, the ``crop96`` protocol's centre.
        clicks: N×K×2 float64, centres of pixels on the object, drawn with a probability
            proportional to the distance from the object's edge.
        folder_index: N int64, the folder of each object.
        probability: N float64, how often to draw each object; sums to 1.
        tiles: N×1×64×64 uint8, the teacher's logits around each object (``picosam2.data.soft``).
        tile_square: N×3 float64, x0, y0 and side of the part of the photograph a tile covers.
        teacher_share: N float64 in 0..1, the teacher's share in the target: its predicted IoU; 0
            without a usable answer, 1 without a human mask.
    """

    images: Mipmaps
    image_size: NDArray[np.int64]
    masks: Mipmaps
    image_index: NDArray[np.int64]
    mask_origin: NDArray[np.int64]
    extent: NDArray[np.float64]
    area: NDArray[np.float64]
    native_scale: NDArray[np.float64]
    centre: NDArray[np.float64]
    clicks: NDArray[np.float64]
    folder_index: NDArray[np.int64]
    probability: NDArray[np.float64]
    tiles: Tensor
    tile_square: NDArray[np.float64]
    teacher_share: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.area)

    def share_memory_(self) -> TrainingObjects:
        """Move the pixels to shared memory, so that worker processes read one copy."""
        self.images.share_memory_()
        self.tiles.share_memory_()  # type: ignore[no-untyped-call]
        self.masks.share_memory_()
        return self

    def to(self, device: torch.device) -> TrainingObjects:
        """Move the pixels to a device; the prompts are drawn on the host."""
        self.images.to(device)
        self.tiles = self.tiles.to(device)
        self.masks.to(device)
        return self


def load_objects(folders: list[Source], weights: list[float], seed: int) -> TrainingObjects:
    """Decode the folders' photographs and masks; what cannot be is noted and left out.

    Args:
        folders: where the photographs are.
        weights: the share of training samples each folder gets (any positive scale).
        seed: for the draw of the clicks.

    Raises:
        InputError: no object is annotated, or something is broken and the folders' ``problems``
            are strict.
    """
    photographs = [(p, k) for k, folder in enumerate(folders) for p in folder]
    sizes = [(p.height, p.width) for p, _ in photographs]
    images = Mipmaps(sizes, channels=4)
    rows, cuts, folder_index, soft = [], [], [], []
    # Decoders and OpenCV release the interpreter's lock.
    with ThreadPoolExecutor(usable_cores()) as pool:
        decoded = pool.map(partial(_decode, images, seed), enumerate(p for p, _ in photographs))
        bar = tqdm(
            zip(photographs, decoded, strict=True),
            desc="decoding photographs",
            total=len(photographs),
            unit="image",
            mininterval=1,
        )
        for index, ((photograph, k), result) in enumerate(bar):
            if isinstance(result, InputError):
                # Its place stays empty, and no object leads there.
                note_damaged(folders[k], photograph, result)
                continue
            for annotation in result.lost:
                _note_lost_tile(folders[k], photograph, annotation)
            for row, cut, target in result.objects:
                rows.append((index, photograph.native_scale, *row))
                cuts.append(cut)
                folder_index.append(k)
                soft.append(target)
    if not rows:
        raise InputError(f"no object with at least {MIN_AREA} pixels: check instances.json")
    masks = Mipmaps([cut.shape for cut in cuts], channels=1)
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(masks.put, range(len(cuts)), cuts))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    counts = np.bincount(folder_index, minlength=len(folders))
    probability = np.array(weights)[folder_index] / counts[folder_index]
    image_index, native_scale, mask_origin, extent, area, centre, clicks = columns
    return TrainingObjects(
        images=images,
        image_size=np.array(sizes),
        masks=masks,
        image_index=image_index,
        mask_origin=mask_origin,
        extent=extent,
        area=area,
        native_scale=native_scale,
        centre=centre,
        clicks=clicks,
        folder_index=np.array(folder_index),
        probability=probability / probability.sum(),
        tiles=torch.from_numpy(np.stack([tile for tile, _, _ in soft])[:, None]),
        tile_square=np.array([square for _, square, _ in soft]),
        teacher_share=np.array([iou for _, _, iou in soft]),
    )


class _Decoded(NamedTuple):
    """A photograph's objects (geometry, cut of the mask, soft target), and those without a tile."""

    objects: list[tuple[tuple[Any, ...], NDArray[np.uint8], _SoftTarget]]
    lost: list[Annotation]


def _decode(images: Mipmaps, seed: int, numbered: tuple[int, Photograph]) -> _Decoded | InputError:
    """Put a photograph into its place and describe its objects."""
    index, photograph = numbered
    try:
        pixels, tiles = photograph.load(), photograph.soft_tiles()
    except InputError as error:
        return error
    images.put(index, pixels)
    rng = np.random.default_rng([seed, index])
    result = _Decoded([], [])
    for annotation in photograph.objects:
        if annotation.iscrowd:
            continue
        mask = photograph.mask(annotation).astype(np.uint8)
        if cv2.countNonZero(mask) < MIN_AREA:
            continue
        if annotation.soft is not None and annotation.soft.tile >= len(tiles):
            result.lost.append(annotation)
            continue
        result.objects.append((*_describe(mask, rng), _soft_target(annotation, tiles)))
    return result


def _note_lost_tile(source: Source, photograph: Photograph, annotation: Annotation) -> None:
    """Note an object whose logits its photograph does not have."""
    image = photograph.record.image
    reason = "its soft target is not among those of its photograph"
    ids = {"image": image.image_id, "annotation": annotation.id}
    source.problems.add(Kind.TEACHER, source.location, image.file_name, reason, **ids)


def _soft_target(annotation: Annotation, tiles: NDArray[np.uint8]) -> _SoftTarget:
    """The tile of the teacher's logits, its square, and the teacher's share in the target."""
    if annotation.soft is None:
        return np.zeros((TILE, TILE), np.uint8), (0.0, 0.0, 1.0), 0.0
    if annotation.source == "human":
        answer = annotation.teacher[0]
        share = min(answer.predicted_iou, MAX_SHARE) if is_sure(answer) else 0.0
    else:
        share = 1.0
    return tiles[annotation.soft.tile], annotation.soft.square, share


def _describe(
    mask: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[tuple[Any, ...], NDArray[np.uint8]]:
    """Geometry of one mask, and the mask cut to its extent (its origin on the halvings' grid)."""
    x, y, width, height = cv2.boundingRect(mask)
    left, top = x // ALIGN * ALIGN, y // ALIGN * ALIGN
    cut = mask[top : y + height, left : x + width]
    # A border of zeros: the photograph's edge counts as the object's edge.
    distance = cv2.distanceTransform(
        cv2.copyMakeBorder(cut, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3
    )[1:-1, 1:-1]
    ys, xs = np.nonzero(cut)
    cumulative = distance[ys, xs].cumsum(dtype=np.float64)
    chosen = np.searchsorted(cumulative, rng.random(CLICKS) * cumulative[-1])
    clicks = np.stack([xs[chosen], ys[chosen]], axis=-1) + np.array([left + 0.5, top + 0.5])
    centre = np.add(extent_centre(cut.astype(bool)), (left, top)).astype(np.float64)
    extent = np.array([x, y, x + width, y + height], dtype=np.float64)
    origin = np.array([left, top], dtype=np.int64)
    return (origin, extent, float(len(xs)), centre, clicks), cut * np.uint8(255)

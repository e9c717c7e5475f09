"""Damaged masks: what a correcting network learns on, and what ``mask_fix`` has it repair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from picosam2.masks import mask_iou

# Values of the coarse noise that roughens an outline, a side.
NOISE_SIDE = 6
BISECTIONS = 12


@dataclass(frozen=True)
class Damage:
    """One way of damaging a mask, mild or strong.

    Args:
        shift: 2 float64, x and y, times the square root of the mask's area.
        growth: the natural logarithm of the change of scale.
        noise: 6×6 float32 over the mask's extent, times the root of its area: how far its outline
            moves outwards.
        blots: K×5 float64: where on the outline (0..1), radii across and down (times the root of
            its area), angle in radians, and whether it takes away (below 0) or adds.
    """

    shift: NDArray[np.float64]
    growth: float
    noise: NDArray[np.float32]
    blots: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Damage:
        """Moved, scaled, roughened, bitten and leaked."""
        count = int(rng.integers(1, 4))
        blots = np.column_stack(
            [
                rng.random(count),
                rng.uniform(0.4, 1.6, (count, 2)),
                rng.uniform(0, np.pi, count),
                rng.uniform(-1, 1, count),
            ]
        )
        noise = rng.normal(0, 0.25, (NOISE_SIDE, NOISE_SIDE)).astype(np.float32)
        return cls(rng.normal(0, 0.25, 2), float(rng.normal(0, 0.4)), noise, blots)

    def apply(self, mask: NDArray[np.bool_], strength: float) -> NDArray[np.bool_]:
        """The damaged mask.

        Args:
            mask: H×W bool, not empty.
            strength: 0 leaves it as it is; at 1 little of it is left where it was.
        """
        root = float(np.sqrt(np.count_nonzero(mask)))
        rows, columns = np.nonzero(mask)
        x, y = columns.mean(), rows.mean()
        growth = np.exp(strength * self.growth)
        shift = strength * root * self.shift
        # Output (row, column) to input: the inverse of scaling about the centre, then shifting.
        origin = np.array([y, x]) - (np.array([y, x]) + shift[::-1]) / growth
        moved = ndimage.affine_transform(
            mask.astype(np.uint8), np.array([1, 1]) / growth, origin, order=0
        ).astype(bool)
        distance = ndimage.distance_transform_edt(moved) - ndimage.distance_transform_edt(~moved)
        noise = Image.fromarray(self.noise).resize(mask.shape[::-1], Image.Resampling.BICUBIC)
        result: NDArray[np.bool_] = distance + strength * root * np.asarray(noise) > 0
        edge = np.argwhere(result & ~ndimage.binary_erosion(result))
        down, across = np.indices(mask.shape)
        for place, width, height, angle, sign in self.blots if strength and len(edge) else ():
            row, column = edge[int(place * len(edge))]
            dx, dy = across - column, down - row
            along = dx * np.cos(angle) + dy * np.sin(angle)
            beside = dy * np.cos(angle) - dx * np.sin(angle)
            radii = strength * root * np.array([width, height]) + 1e-9
            inside = (along / radii[0]) ** 2 + (beside / radii[1]) ** 2 < 1
            result = result | inside if sign > 0 else result & ~inside
        return result


def damage_to(
    mask: NDArray[np.bool_], rng: np.random.Generator, low: float, high: float
) -> NDArray[np.bool_]:
    """A damaged mask whose IoU with the true one lies between two bounds, if it can be had.

    Args:
        mask: H×W bool, not empty.
        rng: what is drawn from.
        low: least IoU in 0..1.
        high: greatest.

    Returns:
        H×W bool; of tiny masks, which a pixel changes by more, the nearest that was found.
    """
    damage = Damage.draw(rng)
    goal = rng.uniform(low, high)
    weak, strong = 0.0, 1.0
    best, miss = mask, 1.0 - goal
    for _ in range(BISECTIONS):
        strength = (weak + strong) / 2
        damaged = damage.apply(mask, strength)
        iou = mask_iou(damaged, mask)
        if damaged.any() and abs(iou - goal) < miss:
            best, miss = damaged, abs(iou - goal)
        weak, strong = (strength, strong) if iou > goal else (weak, strength)
    return best

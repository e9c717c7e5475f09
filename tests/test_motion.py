"""How an object moved from one crop to the next, and what that is worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from picosam2.masks import mask_iou
from picosam2.prompt import Crop, cut
from picosam2.video import Tracker
from picosam2.video.follower import cut_quickly
from picosam2.video.motion import depth_in, follow_mask


@pytest.fixture(scope="module")
def cup(examples):
    """The photograph of a cup, and its mask."""
    photograph = next(p for p in examples if p.record.image.file_name == "coffee.jpg")
    return photograph.load(), photograph.mask(photograph.objects[0])


def look(cup, x: float, y: float, side: float):
    """A crop and the cup's mask in it."""
    image, mask = cup
    crop = Crop(x, y, side)
    return cut(image, crop), cut((mask * np.uint8(255))[..., None], crop)[..., 0] > 127


@pytest.mark.parametrize(("x", "y", "side"), [(300, 190, 390), (292, 196, 390), (300, 190, 365)])
def test_what_moves_as_one_piece_is_followed(cup, x, y, side):
    before, mask = look(cup, 300, 190, 390)
    after, truth = look(cup, x, y, side)
    moved, trust = follow_mask(before, mask, after)
    assert trust > 0.5
    assert mask_iou(moved, truth) > 0.96


def test_what_does_not_is_left_where_it_was(cup):
    before, mask = look(cup, 300, 190, 390)
    noise = np.random.default_rng(0).integers(0, 256, before.shape, np.uint8)
    moved, trust = follow_mask(before, mask, noise)
    assert trust == 0
    assert np.array_equal(moved, mask)
    empty = np.zeros_like(mask)
    assert follow_mask(before, empty, before)[1] == 0


def test_depth_is_the_distance_to_the_boundary():
    mask = np.zeros((96, 96), bool)
    mask[20:60, 20:60] = True
    depth = depth_in(mask)
    assert depth[20, 40] == pytest.approx(1, abs=0.1)
    assert depth[40, 40] == pytest.approx(20, rel=0.05)
    assert depth[40, 70] == pytest.approx(-11, rel=0.05)


@pytest.mark.parametrize("side", [150.0, 420.0, 900.0])
def test_large_crops_are_cut_from_fewer_pixels(cup, side):
    image = np.ascontiguousarray(ndimage.zoom(cup[0], (2, 2, 1), order=1))
    for x, y in ((600.3, 380.9), (30.0, 780.0)):
        crop = Crop(x, y, side)
        difference = cut_quickly(image, crop).astype(int) - cut(image, crop)
        assert np.abs(difference).mean() < 1.0


def test_a_mask_does_not_grow_over_what_is_around_it(cup):
    image, mask = cup
    tracker = Tracker.from_pretrained(threads=1)
    frames = [np.s_[40:360, left : left + 450] for left in (*range(0, 150, 6), *range(150, 0, -6))]
    tracker.start(image[frames[0]], mask=mask[frames[0]])
    ious = [mask_iou(tracker.update(image[f].copy()).mask, mask[f]) for f in frames[1:]]
    assert min(ious) > 0.85

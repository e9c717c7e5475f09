"""How an object moved from one crop to the next, and what that is worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from picosam2.masks import mask_iou
from picosam2.prompt import Crop, cut
from picosam2.video import Tracker, TrackerConfig
from picosam2.video.follower import cut_quickly
from picosam2.video.motion import depth_in, follow_mask


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


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:400, :600]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def ball(image, x: float, y: float):
    """A yellow ball with a white spot on a photograph, and its mask."""
    frame = image.copy()
    frame[disc(x, y, 30)] = (255, 220, 0)
    frame[disc(x - 10, y - 10, 8)] = 255
    return frame, disc(x, y, 30)


@pytest.mark.parametrize("rigid", [0.0, 8.0])
def test_what_speeds_up_is_followed_whole(cup, rigid):
    tracker = Tracker.from_pretrained(threads=1, config=TrackerConfig(rigid=rigid))
    x, speed = 50.0, 0.0
    frame, mask = ball(cup[0], x, 200)
    tracker.start(frame, mask=mask)
    ious = []
    while x < 520:
        speed = min(26.0, speed + 5)
        x += speed
        frame, mask = ball(cup[0], x, 200)
        ious.append(mask_iou(tracker.update(frame).mask, mask))
    assert min(ious) > 0.5
    assert np.mean(ious) > 0.85


def test_what_was_partly_hidden_is_whole_at_once(cup):
    tracker = Tracker.from_pretrained(threads=1)
    frame, whole = ball(cup[0], 300, 200)
    tracker.start(frame, mask=whole)
    for bottom in (175, 190, 205, 212, 205, 190, 0, 0):
        frame, mask = ball(cup[0], 300, 200)
        frame[max(0, bottom - 90) : bottom, 220:380] = (30, 80, 40)
        mask[max(0, bottom - 90) : bottom, 220:380] = False
        assert mask_iou(tracker.update(frame).mask, mask) > 0.8, bottom

"""Prompt ↔ crop geometry: exact about pixels, for every crop of every image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from picosam2.prompt import (
    OUTSIDE_LOGIT,
    Crop,
    box_crop,
    click_crops,
    cut,
    paste,
    paste_mask,
)


def test_a_native_crop_copies_the_pixels(cat):
    crop = cut(cat, Crop(200, 150, 96))
    assert np.array_equal(crop, cat[102:198, 152:248])


def test_outside_the_image_is_black(cat):
    crop = cut(cat, Crop(10, 20, 96))
    assert np.array_equal(crop[28:, 38:], cat[:68, :58])
    assert not crop[:28].any()
    assert not crop[:, :38].any()


def test_the_prompt_lies_at_the_centre_of_the_crop():
    """The pixel under the click spans (48, 48) of the crop, at every scale."""
    image = np.zeros((400, 600, 1), np.uint8)
    image[150:154, 300:304] = 255
    for crop in click_crops(302.0, 152.0, [48, 96, 192, 384]):
        bright = cut(image, crop)[..., 0].astype(float)
        rows, columns = np.indices(bright.shape) + 0.5
        assert (rows * bright).sum() / bright.sum() == pytest.approx(48.0, abs=0.02)
        assert (columns * bright).sum() / bright.sum() == pytest.approx(48.0, abs=0.02)


def test_shrinking_is_anti_aliased():
    """A checkerboard of single pixels becomes an even grey, not a pattern."""
    image = (np.indices((768, 768)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    inner = cut(image, Crop(384, 384, 700))[4:-4, 4:-4]
    assert inner.min() >= 120
    assert inner.max() <= 135


def test_cut_agrees_with_pillow_on_a_photograph(cat):
    """A second implementation: Pillow's anti-aliased bilinear resize of the same square."""
    for crop in (Crop(226, 150, 288), Crop(200.25, 140.5, 131.5), Crop(220, 150, 40)):
        window = (crop.left, crop.top, crop.left + crop.side, crop.top + crop.side)
        image = Image.fromarray(cat).resize((96, 96), Image.Resampling.BILINEAR, box=window)
        difference = cut(cat, crop).astype(int) - np.asarray(image).astype(int)
        assert np.abs(difference).max() <= 2


def test_box_crop_is_a_square_with_padding_around_the_boxs_centre():
    crop = box_crop([10, 20, 110, 60])
    assert (crop.x, crop.y, crop.side) == (60, 40, pytest.approx(120))


@pytest.mark.parametrize("side", [0, -1, float("nan"), float("inf")])
def test_a_crop_needs_a_positive_side(side):
    with pytest.raises(ValueError, match="positive side"):
        Crop(1, 1, side)


def test_paste_reaches_only_as_far_as_the_crop():
    pasted = paste(np.ones((96, 96), np.float32), Crop(50, 40, 30), (100, 200))
    assert pasted[25:55, 35:65] == pytest.approx(1)
    pasted[25:55, 35:65] = OUTSIDE_LOGIT
    assert (pasted == OUTSIDE_LOGIT).all()


def test_low_resolution_logits_span_the_whole_image():
    pasted = paste(np.ones((96, 96), np.float32), Crop(300, 100, 200), (200, 400), (256, 256))
    assert pasted[:, 128:] == pytest.approx(1)
    assert (pasted[:, :128] == OUTSIDE_LOGIT).all()


SIZES = st.one_of(st.just(1), st.integers(2, 300))


@st.composite
def pictures(draw: st.DrawFn) -> tuple[np.ndarray, Crop]:
    """A mask with an ellipse or a rectangle, and a crop: inside, across the border, larger."""
    wide = st.tuples(st.integers(1, 40), st.just(20_000))
    height, width = draw(st.one_of(st.tuples(SIZES, SIZES), wide))
    if draw(st.booleans()):
        height, width = width, height
    y, x = draw(st.floats(0, height - 0.01)), draw(st.floats(0, width - 0.01))
    longer = max(height, width)
    side = draw(st.floats(2, 3)) * longer if draw(st.booleans()) else draw(st.floats(4, longer + 4))
    ry, rx = (draw(st.floats(0.5, max(0.5, length))) for length in (height, width))
    rows, columns = np.ogrid[:height, :width]
    dy, dx = np.abs(rows + 0.5 - y) / ry, np.abs(columns + 0.5 - x) / rx
    mask = dy**2 + dx**2 <= 1 if draw(st.booleans()) else np.maximum(dy, dx) <= 1
    shift = draw(st.floats(-0.5, 0.5)) * side
    return mask, Crop(x + shift, y + shift / 2, side)


@settings(max_examples=100, deadline=None)
@given(pictures())
@example((np.ones((1, 1), bool), Crop(0.5, 0.5, 4)))
@example((np.ones((1, 20_000), bool), Crop(10_000, 0.5, 30_000)))
@example((np.ones((20_000, 1), bool), Crop(0.5, 10_000, 96)))
@example((np.ones((1, 20_000), bool), Crop(0.0, 0.0, 25.0)))
def test_a_mask_survives_crop_and_paste(picture):
    """Pixels change only within one resampled pixel of the mask's edge."""
    mask, crop = picture
    coverage = cut(mask[..., None] * np.uint8(255), crop)[..., 0]
    logits = coverage.astype(np.float32) - 127.5
    pasted = paste_mask(logits, crop, mask.shape)
    rows, columns = (np.arange(n) + 0.5 for n in mask.shape)
    inside_rows = (rows >= crop.top) & (rows < crop.top + crop.side)
    inside_columns = (columns >= crop.left) & (columns < crop.left + crop.side)
    inside = inside_rows[:, None] & inside_columns
    assert not (pasted & ~inside).any()
    changed = (pasted != mask) & inside
    # The outside of the image is black, hence background: the border is an edge of the mask too.
    padded = np.pad(mask, 1)
    to_edge = ndimage.distance_transform_edt(padded)
    if not mask.all():
        to_edge = to_edge + ndimage.distance_transform_edt(~padded)
    resampled_pixel = max(1.0, crop.side / 96)
    assert not changed.any() or to_edge[1:-1, 1:-1][changed].max() <= 1.5 * resampled_pixel + 1

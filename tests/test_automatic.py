"""Everything at once: grids, suppression, and the masks of real photographs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from picosam2 import InputError
from picosam2.automatic import AutomaticMaskGenerator
from picosam2.automatic.candidates import is_square, without_small_regions
from picosam2.automatic.grid import grid_crops, layer_windows, point_grid
from picosam2.automatic.suppression import suppress
from picosam2.data.rle import decode_rle, encode_mask, encode_window
from picosam2.evaluation.answers import can_answer
from picosam2.evaluation.peers.floors import FloorSegmenter
from picosam2.evaluation.peers.grid import masks_of_grid
from picosam2.evaluation.protocols import PROTOCOLS, Case
from picosam2.evaluation.segmenter import Found, PredictorSegmenter
from picosam2.masks import mask_iou
from picosam2.predictor.readings import Reading
from picosam2.prompt import Crop


@pytest.fixture(scope="module")
def coffee(examples):
    """The photograph of a cup, its saucer and a spoon, with their outlines."""
    photograph = next(p for p in examples if "coffee" in str(p.encoded))
    return photograph.load(), [photograph.mask(a) for a in photograph.objects]


@pytest.fixture(scope="module")
def found(predictor, coffee):
    """What a sparse grid finds in it."""
    return AutomaticMaskGenerator(predictor, points_per_side=12).generate(coffee[0])


def test_the_outlined_objects_are_among_the_masks(found, coffee):
    best = [max(mask_iou(r["segmentation"], truth) for r in found) for truth in coffee[1]]
    assert np.median(best) > 0.6, best


def test_a_mask_whose_shape_is_its_crops_is_no_object():
    """A wall fills its crop; where that leaves the photograph, the border may be the wall's own."""
    wall = np.ones((96, 96), np.float32)
    disc = np.where(np.hypot(*np.mgrid[-48:48, -48:48]) < 40, 1, -1).astype(np.float32)
    inside, whole = Crop(200, 150, 80), Crop(200, 150, 500)
    assert is_square(Reading(inside, wall, 0.9), (300, 400))
    assert not is_square(Reading(inside, disc, 0.9), (300, 400))
    assert not is_square(Reading(whole, wall, 0.9), (300, 400))


def test_a_record_is_segment_anythings(found, coffee):
    height, width = coffee[0].shape[:2]
    assert found
    for record in found:
        mask = record["segmentation"]
        assert mask.shape == (height, width)
        assert mask.dtype == bool
        assert record["area"] == np.count_nonzero(mask)
        rows, columns = np.nonzero(mask)
        x, y, across, down = record["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + across, y + down) == (columns.max() + 1, rows.max() + 1)
        assert 0 <= record["predicted_iou"] <= 1
        assert 0 <= record["stability_score"] <= 1
        assert record["crop_box"] == [0, 0, width, height]
        ((px, py),) = record["point_coords"]
        assert 0 <= px < width
        assert 0 <= py < height


def test_the_best_come_first(found):
    scores = [record["predicted_iou"] for record in found]
    assert scores == sorted(scores, reverse=True)


def test_rle_is_the_same_mask(predictor, coffee, found):
    generator = AutomaticMaskGenerator(predictor, points_per_side=12, output_mode="coco_rle")
    for record, other in zip(generator.generate(coffee[0]), found, strict=True):
        assert np.array_equal(coco_mask.decode(record["segmentation"]) > 0, other["segmentation"])


def test_thresholds_drop_masks(predictor, coffee, found):
    least = float(np.median([record["predicted_iou"] for record in found]))
    generator = AutomaticMaskGenerator(predictor, points_per_side=12, pred_iou_thresh=least)
    fewer = generator.generate(coffee[0])
    assert 0 < len(fewer) < len(found)
    assert all(record["predicted_iou"] >= least for record in fewer)


def test_batches_of_any_size_find_the_same(predictor, coffee, found):
    generator = AutomaticMaskGenerator(predictor, points_per_side=12, points_per_batch=7)
    others = generator.generate(coffee[0])
    assert [r["area"] for r in others] == [r["area"] for r in found]


def test_a_search_that_is_stopped_gives_what_it_found(predictor, coffee):
    told = []

    def stop_after_two(done, total):
        told.append((done, total))
        return len(told) == 2

    generator = AutomaticMaskGenerator(
        predictor, 12, 64, pred_iou_thresh=0, stability_score_thresh=0
    )
    assert generator.generate(coffee[0], stop_after_two)
    assert [done for done, _ in told] == [64, 128]
    assert told[0][1] > 128


def test_layers_look_at_windows_more_closely(predictor, coffee):
    generator = AutomaticMaskGenerator(predictor, points_per_side=6, crop_n_layers=1)
    windows = {tuple(record["crop_box"]) for record in generator.generate(coffee[0])}
    height, width = coffee[0].shape[:2]
    assert any(w < width and h < height for _, _, w, h in windows)


def test_points_of_ones_own(predictor, coffee):
    point = np.array([[0.25, 0.75]])
    generator = AutomaticMaskGenerator(
        predictor, None, pred_iou_thresh=0, stability_score_thresh=0, point_grids=[point]
    )
    height, width = coffee[0].shape[:2]
    for record in generator.generate(coffee[0]):
        assert record["point_coords"] == [[0.25 * width, 0.75 * height]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points_per_side": 0}, "points_per_side must be a whole number, at least 1, not 0"),
        ({"points_per_side": 1.5}, "points_per_side must be a whole number"),
        ({"crop_n_layers": -1}, "crop_n_layers must be a whole number, at least 0"),
        ({"crop_n_layers": 5}, "crop_n_layers must be at most 4, not 5"),
        ({"crop_n_layers": "2"}, "crop_n_layers must be a whole number"),
        ({"pred_iou_thresh": "x"}, r"pred_iou_thresh must be in 0\.\.1, not 'x'"),
        ({"min_mask_region_area": -1}, "min_mask_region_area must be"),
        ({"pred_iou_thresh": 88}, r"pred_iou_thresh must be in 0\.\.1, not 88"),
        ({"stability_score_thresh": float("nan")}, "stability_score_thresh must be in"),
        ({"crop_overlap_ratio": -5}, "crop_overlap_ratio must be in"),
        ({"points_per_side": None, "point_grids": [np.array([0.5, 0.5])]}, "must be N×2"),
        ({"points_per_side": None, "point_grids": [np.array([[2.0, 3.0]])]}, "must be N×2"),
        ({"points_per_side": None}, "give points_per_side or point_grids"),
        ({"points_per_batch": 0}, "points_per_batch must be"),
        ({"output_mode": "png"}, "output_mode must be binary_mask or coco_rle, not png"),
    ],
)
def test_wrong_arguments_are_one_line(predictor, arguments, words):
    with pytest.raises(InputError, match=words):
        AutomaticMaskGenerator(predictor, **arguments)


# Measured as average recall.


class Finder:
    """A segmenter that found 99 wrong masks, and the right one in the hundredth place or later."""

    def __init__(self, truth, place):
        wrong = encode_mask(np.roll(~truth, 7, axis=0))
        right = Found(encode_mask(truth), 0.1)
        self.found = [Found(wrong, 0.9)] * (place - 1) + [right]

    def everything(self):
        return self.found


@pytest.mark.parametrize(
    ("place", "protocol", "expected"),
    [(100, "everything100", 1.0), (101, "everything100", 0.0), (101, "everything", 1.0)],
)
def test_an_object_gets_the_best_of_the_first_masks(coffee, place, protocol, expected):
    image, (truth, *_) = coffee
    case = Case(image, truth, annotation=None)
    mask, score = PROTOCOLS[protocol].ask(Finder(truth, place), case)
    assert (mask_iou(mask, truth) == 1) == expected
    assert score == (0.1 if expected else 0.9)


def test_nothing_found_is_an_empty_mask(coffee):
    image, (truth, *_) = coffee
    finder = Finder(truth, 1)
    finder.found = []
    mask, score = PROTOCOLS["everything"].ask(finder, Case(image, truth, annotation=None))
    assert not mask.any()
    assert score == 0


def test_only_those_that_need_no_prompt_are_asked(predictor):
    assert can_answer(PredictorSegmenter(predictor), "everything")
    assert not can_answer(FloorSegmenter("whole-crop"), "everything")


def test_peers_get_the_same_grid_and_suppression(coffee):
    """A peer that answers each click with a square around it, in the grid's quarter of size."""
    image, _ = coffee
    size = image.shape[:2]
    asked = []

    def decode(points):
        asked.extend(points.tolist())
        x, y = (points[:, i, None] * 256 / size[1 - i] for i in (0, 1))
        inside = [np.abs(np.arange(256) + 0.5 - centre) < 3 for centre in (x, y)]
        logits = np.where(inside[1][:, :, None] & inside[0][:, None], 5, -5).astype(np.float32)
        return logits[:, None], np.linspace(0, 1, len(points), dtype=np.float32)[:, None]

    def to_mask(logits):
        full = Image.fromarray(logits).resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(full) > 0

    found = masks_of_grid(decode, size, to_mask)
    assert np.allclose(asked, point_grid(32) * [size[1], size[0]])
    assert len(found) == 1024
    assert found[0].score == 1


# The parts.


def test_the_grid_is_sams():
    assert point_grid(2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]


def test_large_crops_need_fewer_points():
    crops = grid_crops((480, 640), 32, (0.06, 0.48), min_side=24)
    small = [crop for crop in crops if crop.side == pytest.approx(38.4)]
    large = [crop for crop in crops if crop.side == pytest.approx(307.2)]
    assert (len(small), len(large)) == (32 * 32, 7 * 7)
    assert len(crops) == len(small) + len(large)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_windows_of_a_layer_cover_the_photograph(layer):
    seen = np.zeros((300, 451), int)
    windows = layer_windows(seen.shape, layer, 512 / 1500)
    assert len(windows) == 4**layer
    for x0, y0, x1, y1 in windows:
        seen[y0:y1, x0:x1] += 1
    assert seen.min() == 1


def test_the_better_of_two_overlapping_boxes_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 30, 10.0]])
    assert suppress(boxes, np.array([0.5, 0.9, 0.1]), 0.7).tolist() == [1, 2]
    assert suppress(boxes, np.array([0.5, 0.9, 0.1]), 1.0).tolist() == [1, 0, 2]


@given(st.integers(0, 2**20), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
def test_the_rle_of_a_window_is_that_of_the_whole_mask(bits, rows, columns, offset):
    window = (bits >> np.arange(rows * columns) & 1).astype(bool).reshape(rows, columns)
    whole = np.zeros((rows + 3, columns + 3), bool)
    whole[offset : offset + rows, 3 - offset : 3 - offset + columns] = window
    rle = encode_window(window, (3 - offset, offset), whole.shape)
    assert np.array_equal(decode_rle(rle), whole)


def test_small_holes_are_filled_and_small_islands_removed():
    mask = np.zeros((20, 20), bool)
    mask[2:12, 2:12] = True
    mask[5, 5] = False
    mask[18, 18] = True
    cleaned = without_small_regions(mask, 4)
    assert cleaned[5, 5]
    assert not cleaned[18, 18]
    assert np.count_nonzero(cleaned) == 100
    # A mask that is small altogether keeps its largest island.
    assert np.count_nonzero(without_small_regions(mask & (np.arange(20) > 17), 4)) == 1

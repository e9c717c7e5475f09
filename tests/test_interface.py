"""SAM 2's image interface: names and defaults, batches, and predictors that are shared."""

from __future__ import annotations

import ast
import copy
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from threadpoolctl import threadpool_info

from picosam2 import InputError, Predictor
from picosam2.examples import EXAMPLES
from picosam2.images import load_image

# Of the source of the PyPI package sam2, 1.1.0: sam2/sam2_image_predictor.py (Apache-2.0).
SAM2 = """
class SAM2ImagePredictor:
    def set_image(self, image): ...
    def set_image_batch(self, image_list): ...
    def predict_batch(self, point_coords_batch=None, point_labels_batch=None, box_batch=None,
                      mask_input_batch=None, multimask_output=True, return_logits=False,
                      normalize_coords=True): ...
    def predict(self, point_coords=None, point_labels=None, box=None, mask_input=None,
                multimask_output=True, return_logits=False, normalize_coords=True): ...
    def device(self): ...
    def reset_predictor(self): ...
"""


def signature(function):
    """Names of the arguments, and the defaults of the last of them."""
    arguments = function.args
    return [a.arg for a in arguments.args], [ast.literal_eval(d) for d in arguments.defaults]


def test_names_and_defaults_are_those_of_sam2():
    import inspect

    (interface,) = ast.parse(SAM2).body
    for theirs in interface.body:
        ours = getattr(Predictor, theirs.name)
        if isinstance(ours, property):
            continue
        names, defaults = signature(theirs)
        parameters = list(inspect.signature(ours).parameters.values())
        assert [p.name for p in parameters][: len(names)] == names
        given = [p.default for p in parameters if p.default is not inspect.Parameter.empty]
        assert given[: len(defaults)] == defaults
        # What is ours beyond that has a default.
        assert all(p.default is not inspect.Parameter.empty for p in parameters[len(names) :])


@pytest.fixture(scope="module")
def boxes():
    """Five boxes on the photograph of the cat."""
    return np.array(
        [
            [150, 30, 330, 200],
            [200, 100, 260, 160],
            [300, 120, 340, 160],
            [10, 10, 440, 290],
            [100, 150, 200, 250],
        ]
    )


def test_several_boxes_in_one_call_are_several_calls(predictor, cat, boxes):
    predictor.set_image(cat)
    masks, scores, logits = predictor.predict(box=boxes)
    assert (masks.shape, scores.shape) == ((5, 3, 300, 451), (5, 3))
    assert logits.shape == (5, 3, 256, 256)
    passes = predictor.forward_passes
    for index, box in enumerate(boxes):
        alone = predictor.predict(box=box)
        passes -= predictor.forward_passes
        assert np.array_equal(masks[index], alone[0])
        assert np.allclose(scores[index], alone[1], atol=1e-6)
        assert np.allclose(logits[index], alone[2], atol=1e-4)
    assert passes == 0


def test_several_clicks_in_one_call_are_several_calls(predictor, cat):
    points = np.array([[[230, 160]], [[318, 139]], [[40, 40]]])
    predictor.set_image(cat)
    masks, scores, _ = predictor.predict(points, np.ones((3, 1)), multimask_output=False)
    assert (masks.shape, scores.shape) == ((3, 1, 300, 451), (3, 1))
    for index, point in enumerate(points):
        assert np.array_equal(masks[index], predictor.predict(point, multimask_output=False)[0])


def test_one_prompt_in_a_batch_is_as_without_one(predictor, cat, boxes):
    """SAM 2 drops the dimension of one prompt."""
    predictor.set_image(cat)
    assert np.array_equal(predictor.predict(box=boxes[:1])[0], predictor.predict(box=boxes[0])[0])


def test_coordinates_may_be_shares_of_the_image(predictor, cat, boxes):
    predictor.set_image(cat)
    shares = boxes[0] / [451, 300, 451, 300]
    found = predictor.predict(box=shares, normalize_coords=False)
    assert np.array_equal(found[0], predictor.predict(box=boxes[0])[0])
    clicked = predictor.predict([[0.5, 0.5]], [1], normalize_coords=False)
    assert np.array_equal(clicked[0], predictor.predict([[225.5, 150]], [1])[0])
    with pytest.raises(InputError, match="outside the image"):
        predictor.predict([[230, 160]], [1], normalize_coords=False)


def test_empty_points_beside_a_box_are_none(predictor, cat, boxes):
    predictor.set_image(cat)
    found = predictor.predict(np.zeros((0, 2)), np.zeros(0), box=boxes[0])
    assert np.array_equal(found[0], predictor.predict(box=boxes[0])[0])


def test_rle_one_by_one_is_the_same_masks(predictor, cat, boxes):
    many = np.tile(boxes, (5, 1))
    predictor.set_image(cat)
    masks, scores, _ = predictor.predict(box=many, multimask_output=False)
    found = list(predictor.predict_rle(box=many))
    assert len(found) == 25
    for (rle, score), mask, expected in zip(found, masks, scores, strict=True):
        assert np.array_equal(coco_mask.decode(rle) > 0, mask[0])
        assert score == pytest.approx(expected[0], abs=1e-6)


def test_rles_are_of_the_image_that_was_asked_about(predictor, cat):
    """They are computed by 16; meanwhile another image may be set, and clicked on alike."""
    clicks = np.tile([[[230, 160], [318, 139]]], (17, 1, 1))
    clicks[:, 0] += np.arange(17)[:, None]
    other = cat[:, ::-1].copy()
    predictor.set_image(other)
    of_other = predictor.predict(clicks[0], [1, 1], multimask_output=False)[0]
    predictor.set_image(cat)
    expected = list(predictor.predict_rle(clicks))
    found = predictor.predict_rle(clicks)
    first = next(found)
    predictor.set_image(other)
    predictor.predict(clicks[16, :1], multimask_output=False)
    assert [first, *found] == expected
    again = predictor.predict(clicks[0], [1, 1], multimask_output=False)[0]
    assert np.array_equal(again, of_other)
    # Of this image nothing may be remembered.
    predictor.set_image(other)
    found = predictor.predict_rle(clicks)
    next(found)
    predictor.set_image(cat)
    list(found)
    again = predictor.predict(clicks[16], [1, 1], multimask_output=False)[0]
    assert np.array_equal(again[0], coco_mask.decode(expected[16][0]) > 0)


def test_no_box_has_no_rle(predictor, cat):
    """Of a detector that found nothing."""
    predictor.set_image(cat)
    assert list(predictor.predict_rle(box=np.zeros((0, 4)))) == []


def test_objects_with_different_numbers_of_clicks_are_padded(predictor, cat):
    """SAM's padding points, of label -1, are none, wherever they are."""
    points = [[[230, 160], [120, 120]], [[318, 139], [-1, -1]]]
    labels = [[1, 1], [1, -1]]
    predictor.set_image(cat)
    masks, _, _ = predictor.predict(points, labels, multimask_output=False)
    for found, clicks in zip(masks, (points[0], points[1][:1]), strict=True):
        assert np.array_equal(found, predictor.predict(clicks, multimask_output=False)[0])
    first, second = predictor.predict_rle(points, labels)
    assert np.array_equal(coco_mask.decode(second[0]) > 0, masks[1, 0])
    assert first != second
    with_box = predictor.predict([[0, 0]], [-1], box=[60, 10, 300, 295])[0]
    assert np.array_equal(with_box, predictor.predict(box=[60, 10, 300, 295])[0])
    predictor.set_image_batch([cat])
    assert np.array_equal(
        predictor.predict_batch([points], [labels], multimask_output=False)[0][0], masks
    )


def test_one_mask_counts_for_all_prompts(predictor, cat, boxes):
    predictor.set_image(cat)
    _, _, logits = predictor.predict([[230, 160]], multimask_output=False)
    masks, _, _ = predictor.predict(box=boxes[:2], mask_input=logits, multimask_output=False)
    for found, box in zip(masks, boxes[:2], strict=True):
        alone = predictor.predict(box=box, mask_input=logits, multimask_output=False)[0]
        assert np.array_equal(found, alone)


def test_masks_of_8_bits_are_those_of_bool(predictor, cat):
    predictor.set_image(cat)
    given = predictor.predict([[230, 160]], multimask_output=False)[0][0]
    expected = predictor.predict([[40, 40]], [1], mask_input=given)[0]
    for highest in (1, 255):
        same = predictor.predict([[40, 40]], [1], mask_input=given.astype(np.uint8) * highest)[0]
        assert np.array_equal(same, expected)


def test_too_many_masks_at_once_are_refused_with_advice(predictor):
    predictor.set_image(np.zeros((3000, 4000, 3), np.uint8))
    boxes = np.tile([10, 10, 500, 500], (30, 1))
    with pytest.raises(InputError, match=r"30 masks of 4000×3000 pixels would take 368 MB.*rle"):
        predictor.predict(box=boxes, multimask_output=False)
    assert next(iter(predictor.predict_rle(box=boxes)))[0]["size"] == [3000, 4000]


def test_a_batch_of_images(predictor, cat, boxes):
    coffee = load_image(EXAMPLES / "images" / "coffee.jpg")
    predictor.set_image_batch([cat, coffee])
    prompts = [boxes[:2], boxes[0]]
    masks, scores, logits = predictor.predict_batch(box_batch=prompts, multimask_output=False)
    assert [m.shape for m in masks] == [(2, 1, 300, 451), (1, 400, 600)]
    assert len(scores) == len(logits) == 2
    predictor.set_image(coffee)
    assert np.array_equal(masks[1], predictor.predict(box=boxes[0], multimask_output=False)[0])
    arrays = predictor.predict_batch(box_batch=np.stack([boxes[:1]] * 2), multimask_output=False)
    assert np.array_equal(arrays[0][1], masks[1])
    with pytest.raises(InputError, match="box_batch needs one entry for each of 2 images"):
        predictor.predict_batch(box_batch=prompts[:1])


def test_without_an_image_there_is_nothing_to_predict(predictor, cat):
    predictor.set_image(cat)
    predictor.set_image_batch([cat])
    predictor.reset_predictor()
    with pytest.raises(RuntimeError, match="call set_image before predict"):
        predictor.predict([[1, 1]], [1])
    with pytest.raises(RuntimeError, match="call set_image_batch before"):
        predictor.predict_batch([[[1, 1]]], [[1]])
    with pytest.raises(InputError, match="image_list is empty"):
        predictor.set_image_batch([])
    assert predictor.device == "cpu"


# Shared.


@pytest.fixture(scope="module")
def photographs():
    """Four photographs of different sizes."""
    return [load_image(path) for path in sorted((EXAMPLES / "images").glob("*.jpg"))]


def centre(predictor, photograph):
    predictor.set_image(photograph)
    height, width = photograph.shape[:2]
    return predictor.predict([[width / 2, height / 2]], [1], multimask_output=False)[0]


def test_threads_that_share_a_predictor_get_their_own_masks(predictor, photographs):
    expected = [centre(predictor, photograph) for photograph in photographs]
    start = threading.Barrier(4)

    def work(index):
        start.wait()
        return [centre(predictor, photographs[index]) for _ in range(25)]

    with ThreadPoolExecutor(4) as pool:
        for index, masks in enumerate(pool.map(work, range(4))):
            for mask in masks:
                assert np.array_equal(mask, expected[index])


def test_a_thread_without_an_image_of_its_own_is_told(predictor, cat):
    predictor.set_image(cat)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(predictor.predict, [[230, 160]], [1])
        with pytest.raises(RuntimeError, match="in the same thread"):
            answer.result()


def test_writing_into_the_array_afterwards_changes_nothing(predictor, cat):
    expected = centre(predictor, cat)
    mine = cat.copy()
    predictor.set_image(mine)
    mine[:] = 0
    masks = predictor.predict([[451 / 2, 150]], [1], multimask_output=False)[0]
    assert np.array_equal(masks, expected)


def test_an_array_that_cannot_be_written_to_is_not_copied(predictor, cat):
    fixed = cat.copy()
    fixed.setflags(write=False)
    predictor.set_image(fixed)
    assert predictor._image() is fixed


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies_answer_alike_and_have_no_image(predictor, cat, copied):
    expected = centre(predictor, cat)
    other = copied(predictor)
    with pytest.raises(RuntimeError):
        other.predict([[1, 1]], [1])
    assert np.array_equal(centre(other, cat), expected)


def test_a_clone_shares_the_network(predictor, cat):
    expected = centre(predictor, cat)
    clone = predictor.clone()
    assert clone.runtime is predictor.runtime
    clone.set_image(np.zeros((20, 20, 3), np.uint8))
    assert np.array_equal(
        predictor.predict([[451 / 2, 150]], [1], multimask_output=False)[0], expected
    )


def test_a_predictor_is_sent_to_a_process(predictor, cat):
    expected = centre(predictor, cat)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(centre, (predictor, cat)), expected)


def test_the_process_is_left_as_it_was(predictor, photographs):
    def blas_threads():
        return [e["num_threads"] for e in threadpool_info() if e["user_api"] == "blas"]

    before, limit = blas_threads(), Image.MAX_IMAGE_PIXELS
    files = sorted((EXAMPLES / "images").glob("*.jpg")) * 10
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: centre(predictor, load_image(path)), files))
    assert blas_threads() == before
    assert limit == Image.MAX_IMAGE_PIXELS

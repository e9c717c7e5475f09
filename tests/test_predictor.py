"""The predictor on real photographs: SAM 2's shapes, sensible masks, clear refusals."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from picosam2 import Predictor, PredictorConfig
from picosam2.errors import InputError
from picosam2.evaluation.protocols import Case, jittered_box
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.predictor.boxes import MARKED, BoxConfig, fit_to_box, halfway_box
from picosam2.predictor.scores import OWN_SCORES, box_evidence
from picosam2.prompt import OUTSIDE_LOGIT
from picosam2.runtime.engines import open_runtime
from picosam2.weights import FAMILIES


def test_shapes_and_types_are_sam2s(predictor, cat):
    predictor.set_image(cat)
    masks, scores, logits = predictor.predict(point_coords=[[230, 160]], point_labels=[1])
    assert masks.shape == (3, 300, 451)
    assert masks.dtype == bool
    assert scores.shape == (3,)
    assert scores.dtype == np.float32
    assert logits.shape == (3, 256, 256)
    assert logits.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    masks, scores, logits = predictor.predict([[230, 160]], [1], multimask_output=False)
    assert (masks.shape, scores.shape, logits.shape) == ((1, 300, 451), (1,), (1, 256, 256))


def test_logits_are_the_masks_before_the_threshold(predictor, cat):
    predictor.set_image(cat)
    masks, _, _ = predictor.predict([[230, 160]], [1])
    logits, _, low = predictor.predict([[230, 160]], [1], return_logits=True)
    assert logits.dtype == np.float32
    assert np.array_equal(logits > 0, masks)
    # The low-resolution logits show the same mask over the whole image.
    small = Image.fromarray(masks[0].astype(np.uint8) * 255).resize((256, 256))
    assert mask_iou(low[0] > 0, np.asarray(small) > 127) > 0.9
    assert low.min() >= OUTSIDE_LOGIT


def test_readings_differ_and_the_first_is_that_of_a_single_mask(predictor, examples):
    for photograph in examples:
        predictor.set_image(photograph.load())
        for annotation in photograph.objects:
            x, y = most_interior_pixel(photograph.mask(annotation))
            left, top, width, height = annotation.bbox
            for prompt in (
                {"point_coords": [[x + 0.5, y + 0.5]]},
                {"box": [left, top, left + width, top + height]},
            ):
                masks, scores, _ = predictor.predict(**prompt)
                assert list(scores[1:]) == sorted(scores[1:], reverse=True)
                single, score, _ = predictor.predict(**prompt, multimask_output=False)
                assert np.array_equal(single[0], masks[0])
                assert score[0] == scores[0]
                for a, b in ((0, 1), (0, 2), (1, 2)):
                    same = np.array_equal(masks[a], masks[b])
                    # They are compared on the pixels of a crop, coarser than the photograph's.
                    assert same or mask_iou(masks[a], masks[b]) < 0.95


def test_one_click_masks_the_example_objects(predictor, examples):
    """One click in the middle of each hand-drawn object, from an eye to a whole astronaut."""
    ious = []
    for photograph in examples:
        predictor.set_image(photograph.load())
        for annotation in photograph.objects:
            mask = photograph.mask(annotation)
            x, y = most_interior_pixel(mask)
            predicted, _, _ = predictor.predict([[x + 0.5, y + 0.5]], [1])
            ious.append(max(mask_iou(p, mask) for p in predicted))
    assert np.mean(ious) > 0.4


def test_a_box_masks_the_example_objects(predictor, examples):
    ious = []
    for photograph in examples:
        predictor.set_image(photograph.load())
        for annotation in photograph.objects:
            x, y, w, h = annotation.bbox
            predicted, _, _ = predictor.predict(box=[x, y, x + w, y + h], multimask_output=False)
            ious.append(mask_iou(predicted[0], photograph.mask(annotation)))
    assert np.mean(ious) > 0.5


def test_the_mask_is_one_piece_under_the_click(predictor, cat):
    predictor.set_image(cat)
    masks, _, _ = predictor.predict([[230, 160]], [1], multimask_output=False)
    _, count = ndimage.label(masks[0], np.ones((3, 3)))
    assert count == 1
    assert masks[0][160, 230]


def test_forward_passes_are_counted(predictor, cat):
    """Four scales and at most one refining pass for a click; a box's is for careless ones alone."""
    predictor.set_image(cat)
    predictor.predict([[230, 160]], [1], multimask_output=False)
    assert predictor.forward_passes in (4, 5)
    predictor.predict(box=[0, 0, 398, 300], multimask_output=False)
    assert predictor.forward_passes == 1
    predictor.predict(box=[50, 20, 400, 280], multimask_output=False)
    assert predictor.forward_passes == 2


def test_a_careless_box_is_looked_at_again_nearer_to_its_object(predictor, examples):
    """Boxes off by up to 30 % gain; where a box agrees with the mask nothing changes."""
    config = replace(MARKED, careless=0.0)
    once = Predictor(predictor.runtime, PredictorConfig(marked_box=config), predictor.scores)
    gains: dict[float, list[float]] = {0.0: [], 0.3: []}
    for photograph in examples:
        image = photograph.load()
        predictor.set_image(image)
        once.set_image(image)
        for annotation in photograph.objects:
            mask = photograph.mask(annotation)
            for jitter, found in gains.items():
                box = jittered_box(Case(image, mask, annotation, photograph.image_id), jitter)
                masks, _, _ = predictor.predict(box=box, multimask_output=False)
                before, _, _ = once.predict(box=box, multimask_output=False)
                assert once.forward_passes == 1
                if predictor.forward_passes == 1:
                    assert np.array_equal(masks, before)
                found.append(mask_iou(masks[0], mask) - mask_iou(before[0], mask))
    assert np.mean(gains[0.3]) > 0.03
    assert abs(np.mean(gains[0.0])) < 0.01


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ((20, 30, 76, 66), None),
        ((20, 30, 76, 86), (20, 30, 76, 71.4)),
        ((20, 30, 76, 46), (20, 30, 76, 60.6)),
        ((40, 30, 76, 66), (28.4, 30, 76, 66)),
    ],
)
def test_a_careless_box_moves_halfway_to_the_mask_and_no_side_far(own, expected):
    """A box of 56×36; what lies between IoU 0.8 and 1 is as good as the box."""
    x0, y0, x1, y1 = own
    logits = np.full((96, 96), -1, np.float32)
    logits[y0:y1, x0:x1] = 1
    found = halfway_box(logits, (20, 30, 76, 66), MARKED)
    assert found == (expected and pytest.approx(expected))
    assert halfway_box(-np.abs(logits), (20, 30, 76, 66), MARKED) is None
    assert halfway_box(logits, (20, 30, 76, 66), BoxConfig()) is None


def test_a_crop_that_is_all_object_counts_only_where_every_crop_is(cat):
    """However sure the network is of it: such a crop shows a piece of the object, not its shape."""
    full = np.full((96, 96), 5.0, np.float32)
    disc = np.where(np.hypot(*np.indices((96, 96)) - 47.5) < 20, 5.0, -5.0).astype(np.float32)

    def answer(*logits):
        network = lambda crops: (np.stack(logits), np.array([0.9, 0.9, 0.3], np.float32))  # noqa: E731
        plain = PredictorConfig(click_sides=(0.1, 0.2, 0.4), refine="never")
        network.marks_boxes = False
        predictor = Predictor(network, plain, OWN_SCORES)
        predictor.set_image(cat)
        masks, _, _ = predictor.predict([[230, 160]], [1], multimask_output=False)
        return np.count_nonzero(masks)

    side = 0.4 * 451
    assert answer(full, full, disc) == pytest.approx(np.pi * (side * 20 / 96) ** 2, rel=0.05)
    assert answer(full, full, full) == pytest.approx(side**2, rel=0.05)


def test_where_all_crops_are_object_a_wider_one_is_looked_at(predictor, cat):
    """A cat's face fills the photograph: no crop of the first look holds more than fur."""
    predictor.set_image(cat)
    masks, _, _ = predictor.predict([[230, 160]], [1], multimask_output=False)
    left_eye, right_eye, background = (169, 115), (319, 135), (440, 20)
    assert [bool(masks[0, y, x]) for x, y in (left_eye, right_eye, background)] == [1, 1, 0]
    assert masks.mean() > 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"click_sides": ()},
        {"click_sides": (0.1, -1.0)},
        {"click_sides": (float("nan"),)},
        {"box_paddings": ()},
        {"correction_margins": (-0.1,)},
        {"min_side": float("inf")},
        {"batch": 0},
    ],
)
def test_crops_that_cannot_be_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=f"{name} must be"):
        PredictorConfig(**wrong)


def test_each_step_can_be_left_out(predictor, cat):
    single = PredictorConfig(click_sides=(0.3,), refine="never", component=False)
    plain = Predictor(predictor.runtime, single)
    plain.set_image(cat)
    plain.predict([[230, 160]], [1], multimask_output=False)
    assert plain.forward_passes == 1


def test_pil_images_of_any_mode_are_taken(predictor, cat):
    predictor.set_image(cat)
    expected, _, _ = predictor.predict([[230, 160]], [1])
    for mode in ("RGB", "RGBA"):
        predictor.set_image(Image.fromarray(cat).convert(mode))
        masks, _, _ = predictor.predict([[230, 160]], [1])
        assert np.array_equal(masks, expected)
    predictor.set_image(Image.fromarray(cat).convert("L"))
    assert predictor.predict([[230, 160]], [1])[0].shape == expected.shape


def test_a_click_on_the_last_pixel_is_inside(predictor, cat):
    predictor.set_image(cat)
    predictor.predict([[450.99, 299.99]], [1])
    predictor.predict([[0, 0]], [1])


def test_a_one_pixel_image_has_a_mask(predictor):
    predictor.set_image(np.full((1, 1, 3), 128, np.uint8))
    masks, _, _ = predictor.predict([[0.5, 0.5]], [1])
    assert masks.shape == (3, 1, 1)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "give a prompt"),
        ({"point_coords": [[500, 10]]}, "outside the image of 451×300"),
        ({"point_coords": [[451, 10]]}, "outside the image"),
        ({"point_coords": [[-0.1, 10]]}, "outside the image"),
        ({"point_coords": [[float("nan"), 10]]}, "finite"),
        ({"point_coords": [1, 2]}, r"shape N×2, \[\[x, y\], \.\.\.\], or B×N×2, not 2$"),
        ({"point_coords": 5}, "not a single number"),
        ({"point_coords": [[1, 2, 3]]}, "not 1×3"),
        ({"point_coords": [[[[1, 2]]]]}, "not 1×1×1×2"),
        ({"point_coords": [[[1, 2]]] * 2, "point_labels": [1, 1]}, "for each point, 2×1, not 2$"),
        ({"point_coords": np.zeros((0, 2))}, "not 0×2"),
        ({"point_coords": [[1, 2]], "point_labels": [2]}, "not 2"),
        ({"point_coords": [[1, 2]], "point_labels": [-1]}, "give a prompt"),
        ({"box": [[1, 2], [3, 4]]}, "x0, y0, x1, y1, or B×4, not 2×2"),
        ({"point_coords": [[1, 2]], "point_labels": [0]}, "negative clicks alone"),
        ({"point_coords": [[1, 2]], "point_labels": [1, 1]}, "one label for each point"),
        ({"point_coords": [["a", 2]]}, "must be numbers"),
        ({"point_coords": [[10**400, 2]]}, "must be numbers"),
        ({"box": [10, 10, 10, 50]}, "is empty"),
        ({"box": [50, 10, 10, 50]}, "is empty"),
        ({"box": [1, 2, 3]}, "x0, y0, x1, y1"),
        ({"box": [500, 10, 600, 50]}, "outside the image"),
        ({"box": [0, 0, float("inf"), 9]}, "finite"),
        ({"box": [[0, 0, 9, 9]] * 2, "point_coords": [[1, 2]]}, "1 in point_coords, 2 in box"),
        ({"mask_input": np.zeros((1, 128, 128))}, "1×256×256 logits.*not 1×128×128"),
        ({"mask_input": np.zeros((9, 9), bool)}, "the image's shape, 300×451, not 9×9"),
        ({"mask_input": np.full((1, 256, 256), np.nan)}, "finite numbers, not nan$"),
        ({"mask_input": [["a"] * 999]}, "numbers, not .{,60}$"),
        ({"mask_input": np.zeros((300, 451))}, "shape, 300×451, not 300×451 of float64"),
        (
            {"mask_input": np.full((300, 451), 9, np.uint8)},
            "uint8 must be of 0 and 1, or of 0 and 255",
        ),
    ],
)
def test_bad_prompts_are_refused(predictor, cat, prompt, message):
    predictor.set_image(cat)
    with pytest.raises(ValueError, match=message):
        predictor.predict(**prompt)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 2)),
        np.zeros(4),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), complex),
        "photo.jpg",
    ],
)
def test_bad_images_are_refused(predictor, image):
    with pytest.raises(ValueError, match="image must"):
        predictor.set_image(image)


@pytest.mark.parametrize("threads", [-1, 1.5, "2", None, 100_000])
def test_threads_are_counted(threads):
    with pytest.raises(ValueError, match="threads must be a whole number"):
        Predictor.from_pretrained(threads=threads)


@pytest.mark.parametrize(("name", "words"), [("SMALL", "did you mean small"), ("tiny", "choose")])
def test_weights_that_are_not_there_are_named(name, words):
    with pytest.raises(ValueError, match=f"no weights {name}: {words}"):
        Predictor.from_pretrained(name)


def test_an_image_is_needed_first():
    with pytest.raises(RuntimeError, match="set_image"):
        Predictor.from_pretrained(threads=1).predict([[1, 1]], [1])


def test_inference_does_not_import_pytorch():
    code = (
        "import sys, numpy, picosam2; p = picosam2.Predictor.from_pretrained();"
        "p.set_image(numpy.zeros((64, 64, 3), numpy.uint8)); p.predict([[9, 9]], [1]);"
        "assert not {'torch', 'cv2', 'onnx'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def answering(logits, score=0.5):
    """A runtime that gives every crop the same answer."""

    class Fixed:
        """What it was shown is in ``seen``."""

        digest = ""
        scores: ClassVar[dict] = {}
        marks_boxes = False
        seen: ClassVar[list] = []

        def __call__(self, crops):
            self.seen.append(crops)
            count = len(crops)
            return np.repeat(logits[None], count, 0), np.full(count, score, np.float32)

    return Fixed()


def test_a_mask_ends_where_its_box_does():
    """A network that marks the whole crop, asked for a wide box, gives the box."""
    predictor = Predictor(answering(np.full((96, 96), 1, np.float32)))
    predictor.set_image(np.zeros((300, 300, 3), np.uint8))
    mask = predictor.predict(box=[80, 120, 220, 160], multimask_output=False)[0][0]
    box = np.zeros_like(mask)
    box[120:160, 80:220] = True
    assert mask_iou(mask, box) > 0.9


def test_a_box_is_drawn_on_its_crop_where_the_weights_know_it():
    """A crop of 96 pixels around a box of 80×40; a click's crops stay as they are."""
    logits = np.full((96, 96), -1, np.float32)
    logits[28:68, 8:88] = 1
    runtime = answering(logits)
    image = np.full((300, 300, 3), 100, np.uint8)
    for marks in (False, True):
        runtime.marks_boxes = marks
        predictor = Predictor(runtime)
        predictor.set_image(image)
        predictor.predict(box=[100, 120, 180, 160], multimask_output=False)
        crop = runtime.seen[-1][0]
        assert (crop[28:68, 8:88] == 100).all()
        around = np.delete(crop.reshape(-1, 3), np.arange(96 * 96).reshape(96, 96)[28:68, 8:88], 0)
        assert (around == ((178, 50, 178) if marks else 100)).all()
        predictor.predict([[140, 140]], [1], multimask_output=False)
        assert not np.ptp(runtime.seen[-1], axis=-1).any(), "grey, or black beyond the photograph"


def test_what_lies_outside_the_box_is_dropped():
    """A network that answers with two squares: in the box's middle and in the crop's corner."""
    logits = np.full((96, 96), -5, np.float32)
    logits[40:60, 40:60] = 5
    logits[:6, :6] = 5
    predictor = Predictor(answering(logits))
    predictor.set_image(np.zeros((300, 300, 3), np.uint8))
    mask = predictor.predict(box=[100, 100, 200, 200], multimask_output=False)[0][0]
    assert ndimage.label(mask)[1] == 1
    assert mask[150, 150]


@pytest.mark.parametrize(("peak", "expected"), [(-1.2, 40), (2.2, 40)])
def test_logits_that_are_all_too_low_or_too_high_are_shifted(peak, expected):
    """A cone of logits reaches the box's width at some threshold, whatever its height."""
    y, x = np.indices((96, 96)) + 0.5
    cone = (peak + (20 - np.hypot(x - 48, y - 48)) / 10).astype(np.float32)
    mask = fit_to_box(cone, (28, 28, 68, 68)) > 0
    assert abs(mask[48].sum() - expected) <= 5


@pytest.mark.parametrize("box", [(100, 148, 200, 149), (299, 0, 300, 300)])
def test_a_box_thinner_than_a_pixel_of_the_crop_keeps_a_mask(box):
    predictor = Predictor(answering(np.full((96, 96), 3, np.float32)))
    predictor.set_image(np.zeros((300, 300, 3), np.uint8))
    mask = predictor.predict(box=box, multimask_output=False)[0][0]
    assert 0 < mask.sum() < 4000


@pytest.mark.parametrize(
    "box",
    [
        (100, 0, 101, 300),
        (0, 150, 300, 150.5),
        (299, 0, 300, 300),
        (0, 0, 3, 300),
        (20, 20, 280, 24),
        (140, 140, 160, 160),
        (10.3, 10.7, 11.2, 290.1),
    ],
    ids=str,
)
@pytest.mark.parametrize("strength", [-1, 3, 30])
def test_a_mask_keeps_to_its_box_whatever_its_shape(box, strength):
    """A network that marks everything, however surely, and one that is in doubt everywhere."""
    predictor = Predictor(answering(np.full((96, 96), strength, np.float32)))
    predictor.set_image(np.zeros((300, 300, 3), np.uint8))
    masks, _, low = predictor.predict(box=box)
    logits, _, _ = predictor.predict(box=box, return_logits=True)
    assert np.array_equal(logits > 0, masks)
    x0, y0, x1, y1 = box
    y, x = np.indices((300, 300)) + 0.5
    near = abs(x - (x0 + x1) / 2) <= 0.6 * (x1 - x0) + 1
    near &= abs(y - (y0 + y1) / 2) <= 0.6 * (y1 - y0) + 1
    assert masks.any(axis=(1, 2)).all()
    assert not masks[:, ~near].any()
    assert (low > 0).sum(axis=(1, 2)).max() <= 1.5 * near.sum() * (256 / 300) ** 2 + 256


def test_the_examples_keep_to_boxes_of_any_shape(predictor, examples):
    """Boxes of 1 to 1:100 around the middle of real objects, by the shipped weights.

    A side may move by 15 %, and the mask reach beyond it by a tenth.
    """
    for photograph in examples:
        predictor.set_image(photograph.load())
        for x, y, w, h in (annotation.bbox for annotation in photograph.objects):
            for across, down in ((1, 1), (1, 0.1), (0.1, 1), (1, 0.01), (0.01, 1)):
                width, height = w * across, h * down
                left, top = x + (w - width) / 2, y + (h - height) / 2
                box = [left, top, left + width, top + height]
                mask = predictor.predict(box=box, multimask_output=False)[0][0]
                rows, columns = (index + 0.5 for index in np.nonzero(mask))
                inside = abs(columns - (left + width / 2)) <= 0.78 * width + 1
                inside &= abs(rows - (top + height / 2)) <= 0.78 * height + 1
                assert np.count_nonzero(~inside) <= 0.05 * mask.sum()


def test_an_empty_mask_is_expected_to_be_wrong():
    predictor = Predictor(answering(np.full((96, 96), -0.85, np.float32)))
    predictor.set_image(np.zeros((300, 300, 3), np.uint8))
    _, scores, _ = predictor.predict([[150, 150]], [1])
    assert (scores == 0).all()


def test_a_mask_without_a_pixel_in_the_image_has_score_0(predictor, cat):
    """The network's mask may lie beside the box."""
    predictor.set_image(cat)
    beside = np.full((1, 256, 256), -9, np.float32)
    beside[:, 180:240, 20:80] = 9
    masks, scores, _ = predictor.predict(box=[400, 5, 440, 40], mask_input=beside)
    (_, score), *_ = predictor.predict_rle(box=[400, 5, 440, 40], mask_input=beside)
    for mask, own in zip(masks, scores, strict=True):
        assert mask.any() or own == 0
    assert not masks[0].any()
    assert score == 0


def test_a_sure_mask_is_expected_to_be_better_than_a_vague_one(predictor):
    """The same square with strong and with weak logits, and the network's own estimate equal."""
    scores = []
    for strength in (8, 0.5):
        logits = np.full((96, 96), -strength, np.float32)
        logits[30:66, 30:66] = strength
        asked = Predictor(answering(logits), scores=predictor.scores)
        asked.set_image(np.zeros((300, 300, 3), np.uint8))
        scores.append(asked.predict([[150, 150]], [1], multimask_output=False)[1][0])
    assert scores[0] > scores[1] + 0.1


def test_a_mask_that_fills_its_box_is_expected_to_be_better(predictor):
    full, small = (np.full((96, 96), -6, np.float32) for _ in range(2))
    full[8:88, 8:88] = 6
    small[40:56, 40:56] = 6
    scores = []
    for logits in (full, small):
        asked = Predictor(answering(logits), scores=predictor.scores)
        asked.set_image(np.zeros((300, 300, 3), np.uint8))
        scores.append(asked.predict(box=[100, 100, 200, 200], multimask_output=False)[1][0])
    assert scores[0] > scores[1] + 0.1


def test_what_fitting_to_a_box_took_is_evidence():
    """All logits raised by 2; a quarter of the network's own mask lies beside the box."""
    own = np.full((96, 96), -1, np.float32)
    own[20:40, 20:40] = 1
    fitted = own + 2
    *_, shift, beside = box_evidence(own, fitted, 0.5, (25, 20, 96, 96))
    assert shift == 2
    assert beside == pytest.approx(0.25)


def test_the_predicted_iou_was_fitted_to_the_shipped_weights():
    """``scripts/fit_scores.py`` writes which model it asked."""
    for family in FAMILIES:
        runtime = open_runtime(family, None, 1)
        assert runtime.scores["model_sha256"] == runtime.digest

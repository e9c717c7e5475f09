"""Several clicks, boxes with clicks, and masks to correct."""

from __future__ import annotations

import pickle
from typing import ClassVar

import numpy as np
import pytest

from picosam2 import Predictor
from picosam2.damage import Damage, damage_to
from picosam2.errors import InputError
from picosam2.evaluation.answers import can_answer
from picosam2.evaluation.interactive import (
    click_until_good,
    correct_until_good,
    describe_clicks,
)
from picosam2.evaluation.run import evaluate
from picosam2.evaluation.segmenter import PredictorSegmenter
from picosam2.masks import mask_iou, most_interior_pixel, next_click
from picosam2.predictor.corrections import merge, obey
from picosam2.predictor.prior import make_prior
from picosam2.predictor.prompts import Click
from picosam2.prompt import Crop, look_up
from picosam2.runtime.engines import open_corrector, open_runtime
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL

CLICKS, LABELS = [[230, 160], [120, 120], [20, 20], [300, 250]], [1, 1, 0, 0]


@pytest.fixture
def own(cat) -> Predictor:
    """A predictor that remembers nothing."""
    predictor = Predictor.from_pretrained(threads=1)
    predictor.set_image(cat)
    return predictor


def objects(examples):
    for photograph in examples:
        for annotation in photograph.objects:
            yield photograph.load(), photograph.mask(annotation)


def click_on(predictor: Predictor, truth: np.ndarray, count: int) -> list[np.ndarray]:
    """The masks after each of so many clicks of a patient user."""
    x, y = most_interior_pixel(truth)
    points, labels, masks = [(x + 0.5, y + 0.5)], [1], []
    for _ in range(count):
        masks.append(predictor.predict(points, labels, multimask_output=False)[0][0])
        click = next_click(masks[-1], truth)
        if click is None:
            break
        points.append(click[:2])
        labels.append(int(click[2]))
    return masks


def test_clicks_make_masks_better(predictor, examples):
    first, last = [], []
    for image, truth in objects(examples):
        predictor.set_image(image)
        masks = click_on(predictor, truth, 5)
        first.append(mask_iou(masks[0], truth))
        last.append(mask_iou(masks[-1], truth))
    assert np.mean(last) > np.mean(first) + 0.1


@pytest.mark.parametrize("seed", range(4))
def test_every_click_is_obeyed(predictor, cat, seed):
    """Even clicks that contradict what can be seen, and large photographs."""
    rng = np.random.default_rng(seed)
    image = cat if seed < 3 else np.repeat(np.repeat(cat, 4, 0), 4, 1)
    predictor.set_image(image)
    height, width = image.shape[:2]
    points = rng.uniform(0, 1, (6, 2)) * [width, height]
    labels = [1, *rng.integers(0, 2, 5)]
    masks, _, _ = predictor.predict(points, labels)
    logits, _, _ = predictor.predict(points, labels, return_logits=True)
    for (x, y), label in zip(points, labels, strict=True):
        assert (masks[:, int(y), int(x)] == bool(label)).all()
        assert ((logits[:, int(y), int(x)] > 0) == bool(label)).all()


def test_a_call_that_adds_a_click_gives_what_a_call_with_all_gives(own, cat):
    for count in range(1, 5):
        growing = own.predict(CLICKS[:count], LABELS[:count], multimask_output=False)
        assert own.forward_passes <= (5 if count == 1 else 1)
    own.set_image(cat)
    at_once = own.predict(CLICKS, LABELS, multimask_output=False)
    assert own.forward_passes > 5
    for one, other in zip(growing, at_once, strict=True):
        assert np.array_equal(one, other)


def test_the_first_mask_of_three_is_that_of_one(own):
    assert np.array_equal(
        own.predict(CLICKS, LABELS)[0][0],
        own.predict(CLICKS, LABELS, multimask_output=False)[0][0],
    )


def test_several_objects_with_several_clicks_are_those_of_single_calls(own):
    points = [CLICKS[:2], [[60, 200], [100, 250]]]
    labels = [[1, 1], [1, 0]]
    masks, scores, logits = own.predict(points, labels, multimask_output=False)
    assert masks.shape == (2, 1, 300, 451)
    for row in range(2):
        alone = own.predict(points[row], labels[row], multimask_output=False)
        for together, single in zip((masks, scores, logits), alone, strict=True):
            assert np.array_equal(together[row], single)
    found = list(own.predict_rle(points, labels))
    assert [score for _, score in found] == scores[:, 0].tolist()


def test_a_click_corrects_the_mask_of_a_box(own):
    box = [60, 10, 300, 295]
    alone = own.predict(box=box, multimask_output=False)[0][0]
    y, x = np.argwhere(alone)[len(np.argwhere(alone)) // 2]
    less = own.predict([[x, y]], [0], box=box, multimask_output=False)[0][0]
    assert alone[y, x]
    assert not less[y, x]
    batch = own.predict([[[x, y]]] * 2, [[0]] * 2, box=[box] * 2, multimask_output=False)[0]
    assert np.array_equal(batch[1, 0], less)


def test_a_box_with_clicks_keeps_to_the_box_unless_a_click_lies_outside(own):
    box = [100, 50, 200, 150]
    inside = own.predict([[150, 100], [120, 70]], [1, 1], box=box, multimask_output=False)[0][0]
    rows, columns = np.nonzero(inside)
    # A careless box's sides move by 15 at most, and the mask ends 13 + 1 beyond them.
    assert columns.min() >= 71
    assert columns.max() < 229
    assert rows.min() >= 21
    assert rows.max() < 179
    outside = own.predict([[300, 160]], [1], box=box, multimask_output=False)[0][0]
    assert outside[160, 300]


def test_logits_of_a_call_are_a_mask_prompt_of_the_next(own):
    masks, _, logits = own.predict(CLICKS[:1], LABELS[:1])
    # Who asks chooses among the readings: here the whole face.
    chosen = masks.sum(axis=(1, 2)).argmax()
    logits, mask = logits[chosen : chosen + 1], masks[chosen]
    answer, scores, _ = own.predict(
        CLICKS[:3], LABELS[:3], mask_input=logits, multimask_output=False
    )
    assert answer.shape == (1, 300, 451)
    assert mask_iou(answer[0], mask) > 0.2
    batch = own.predict([CLICKS[:3]] * 2, [LABELS[:3]] * 2, mask_input=logits[None].repeat(2, 0))
    assert batch[0].shape == (2, 3, 300, 451)
    assert batch[1][0, 0] == scores[0]
    alone = own.predict(mask_input=logits, multimask_output=False)[0][0]
    assert alone.any()


def test_a_mask_keeps_what_the_clicks_do_not_concern(own, examples):
    truth = next(mask for image, mask in objects(examples) if image.shape == (300, 451, 3))
    mask = truth.copy()
    mask[200:260, 30:60] ^= True
    x, y, positive = next_click(mask, truth)
    fixed = own.predict([[x, y]], [int(positive)], mask_input=mask, multimask_output=False)[0][0]
    # A positive click only adds, a negative one only takes away.
    changed = fixed != mask
    assert fixed[int(y), int(x)] == positive
    assert (fixed[changed] == positive).all()
    rows, columns = np.nonzero(changed)
    assert np.hypot(rows - y, columns - x).max() < 250
    logits = own.predict([[x, y]], [int(positive)], mask_input=mask, return_logits=True)[0]
    assert np.array_equal(logits[0] > 0, fixed)


def test_a_negative_click_may_come_first(own):
    swapped = own.predict([[20, 20], [230, 160]], [0, 1], multimask_output=False)[0][0]
    assert np.array_equal(
        swapped, own.predict([[230, 160], [20, 20]], [1, 0], multimask_output=False)[0][0]
    )


def test_shares_of_the_image_are_taken_for_several_clicks(own):
    shares = np.array(CLICKS[:2]) / [451, 300]
    given = own.predict(shares, [1, 0], normalize_coords=False, multimask_output=False)[0]
    assert np.array_equal(given, own.predict(CLICKS[:2], [1, 0], multimask_output=False)[0])


def test_batches_of_images_take_several_clicks(own, cat):
    own.set_image_batch([cat, cat[:, ::-1].copy()])
    masks, _, _ = own.predict_batch([CLICKS[:2]] * 2, [[1, 1]] * 2, multimask_output=False)
    assert not np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[0], own.predict(CLICKS[:2], [1, 1], multimask_output=False)[0])


def test_another_image_is_not_answered_from_memory(own, cat):
    before = own.predict(CLICKS[:2], [1, 1], multimask_output=False)[0]
    own.set_image(cat[::-1].copy())
    after = own.predict(CLICKS[:2], [1, 1], multimask_output=False)[0]
    assert not np.array_equal(before, after)


def test_copies_take_several_clicks(own, cat):
    expected = own.predict(CLICKS, LABELS)[0]
    for copy in (own.clone(), pickle.loads(pickle.dumps(own))):
        copy.set_image(cat)
        assert np.array_equal(copy.predict(CLICKS, LABELS)[0], expected)


def test_without_a_correcting_network_it_is_said_what_is_needed(cat):
    predictor = Predictor(open_runtime(DEFAULT_MODEL, None, 1))
    predictor.set_image(cat)
    predictor.predict(CLICKS[:1])
    with pytest.raises(ValueError, match="need a correcting network"):
        predictor.predict(CLICKS[:2])


def test_a_mask_without_a_pixel_says_nothing(predictor, cat):
    predictor.set_image(cat)
    empty = np.zeros(cat.shape[:2], bool)
    for nothing in (empty, np.full((1, 256, 256), -9.0)):
        for more in (
            {"point_coords": CLICKS[:2], "point_labels": LABELS[:2]},
            {"box": [50, 20, 400, 280]},
        ):
            beside = predictor.predict(mask_input=nothing, **more)[0]
            assert np.array_equal(beside, predictor.predict(**more)[0])
        with pytest.raises(InputError, match="the mask has no pixel of an object"):
            predictor.predict(mask_input=nothing)
        with pytest.raises(InputError, match="the mask has no pixel of an object"):
            predictor.predict(CLICKS[:1], [0], mask_input=nothing)


def test_networks_in_the_wrong_place_are_refused():
    with pytest.raises(InputError, match="correcting is a correcting network, which has no first"):
        Predictor.from_pretrained(CORRECTING_MODEL)
    with pytest.raises(InputError, match="small is not a correcting network"):
        open_corrector(DEFAULT_MODEL, None, 1)


class Fixed:
    """A correcting network that gives every crop the same answer."""

    digest = ""
    scores: ClassVar[dict] = {}

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = logits
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, crops, prior):
        self.seen.append((crops, prior))
        count = len(crops)
        return np.repeat(self.logits[None], count, 0), np.full(count, 0.5, np.float32)


def test_the_network_is_shown_the_mask_before_and_all_clicks(own, cat):
    own.corrector = fixed = Fixed(np.full((96, 96), -5, np.float32))
    before = own.predict(CLICKS[:1], multimask_output=False)[0][0]
    own.predict(CLICKS[:3], LABELS[:3])
    (_, first), (_, second) = fixed.seen
    assert first.dtype == np.int8
    assert set(np.unique(first)) <= {-1, 0, 1}
    # The first correction sees the first look's mask, the second the (empty, obeyed) first one's.
    share = (first[..., 0] == 1).mean(axis=(1, 2))
    assert (share > (second[..., 0] == 1).mean(axis=(1, 2))).all()
    assert before.any()
    assert (first[..., 1] == 1).any(axis=(1, 2)).all()
    assert not (first[..., 1] == -1).any()
    assert (second[..., 1] == -1).any()


def test_planes_of_a_prior():
    before = np.zeros((96, 96), bool)
    before[:48] = True
    prior = make_prior(before, [(10.0, 20.0, True), (95.5, 0.5, False), (-50, 3, True)], 96)
    assert prior.shape == (96, 96, 2)
    assert (prior[:48, :, 0] == 1).all()
    assert (prior[48:, :, 0] == -1).all()
    rows, columns = np.nonzero(prior[..., 1] == 1)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == (20.0, 10.0)
    assert np.hypot(rows + 0.5 - 20, columns + 0.5 - 10).max() <= 3
    assert prior[0, 95, 1] == -1
    assert not make_prior(None, [], 96).any()


def test_a_click_that_the_network_ignores_changes_its_surroundings():
    crop, logits = Crop(48, 48, 96), np.full((96, 96), -2, np.float32)
    obeyed = obey(logits, crop, [Click(30.5, 40.5), Click(80.5, 40.5, False)])
    rows, columns = np.nonzero(obeyed > 0)
    assert (rows.mean(), columns.mean()) == (40, 30)
    assert np.array_equal(obeyed[:, 70:], logits[:, 70:])
    # A part of the mask without a click on it goes as a whole, one with such a click does not.
    logits[10:20, 10:20] = logits[60:80, 60:80] = 3
    obeyed = obey(
        logits, crop, [Click(70.5, 75.5), Click(11.5, 11.5, False), Click(62.5, 62.5, False)]
    )
    assert not (obeyed[10:20, 10:20] > 0).any()
    assert 300 < (obeyed[60:80, 60:80] > 0).sum() < 400


def test_only_regions_with_a_click_are_merged():
    before, logits = np.zeros((96, 96), bool), np.full((96, 96), -5, np.float32)
    before[40:60, 40:60] = True
    logits[40:60, 30:50] = logits[0:5, 0:5] = 5
    crop = Crop(48, 48, 96)
    added, removed = merge(before, logits, crop, [Click(35, 50)], 3.5)
    assert (added.sum(), removed.sum()) == (200, 0)
    added, removed = merge(before, logits, crop, [Click(55, 50, False)], 3.5)
    assert (added.sum(), removed.sum()) == (0, 200)


def test_what_the_network_doubts_joins_no_regions():
    before, logits = np.zeros((96, 96), bool), np.full((96, 96), -5, np.float32)
    logits[10:20, 10:20] = logits[10:20, 30:40] = 5
    # A bridge between the two, of which the network is not sure.
    logits[14:16, 20:30] = 1
    crop = Crop(48, 48, 96)
    added, _ = merge(before, logits, crop, [Click(15, 15)], 3.5)
    assert added.sum() == 100
    added, _ = merge(before, logits, crop, [Click(15, 15)], 0.0)
    assert added.sum() == 220
    # A click is obeyed where the network is not sure, too.
    added, _ = merge(before, logits, crop, [Click(25, 15)], 3.5)
    assert 4 <= added.sum() < 20


def test_masks_of_any_resolution_are_looked_up_in_a_crop():
    mask = np.zeros((100, 200), bool)
    mask[20:40, 50:90] = True
    crop = Crop(70, 30, 96)
    exact = look_up(mask, crop, (100, 200)) > 0
    assert exact.sum() == 800
    assert exact[38:58, 28:68].all()
    logits = np.where(np.repeat(np.repeat(mask, 2, 0), 2, 1), 5, -5).astype(np.float32)
    assert mask_iou(look_up(logits, crop, (100, 200)) > 0, exact) > 0.9
    assert not look_up(mask, Crop(500, 500, 96), (100, 200)).any()


def test_the_next_click_is_in_the_middle_of_the_largest_mistake():
    truth, mask = np.zeros((2, 40, 40), bool)
    truth[5:16, 5:16] = True
    mask[5:16, 5:16] = mask[20:31, 20:35] = True
    assert next_click(mask, truth) == (25.5, 25.5, False)
    mask[:] = False
    assert next_click(mask, truth) == (10.5, 10.5, True)
    assert next_click(truth, truth) is None


def test_damaged_masks_have_the_iou_that_was_asked_for(examples):
    for seed, (_, truth) in enumerate(list(objects(examples))[::4]):
        damaged = damage_to(truth, np.random.default_rng(seed), 0.75, 0.85)
        assert 0.72 < mask_iou(damaged, truth) < 0.88
        again = damage_to(truth, np.random.default_rng(seed), 0.75, 0.85)
        assert np.array_equal(damaged, again)
        assert np.array_equal(Damage.draw(np.random.default_rng(seed)).apply(truth, 0), truth)


class Patient:
    """A segmenter that learns a tenth of the object with each click, and then more."""

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = truth
        self.order = np.argsort(np.random.default_rng(0).random(truth.sum()))

    def clicks(self, clicks):
        mask = np.zeros_like(self.truth)
        on = np.argwhere(self.truth)[self.order[: -(-len(self.order) * len(clicks) // 10)]]
        mask[on[:, 0], on[:, 1]] = True
        return mask, 0.5

    def correct(self, mask, clicks):
        x, y, positive = clicks[-1]
        fixed = mask.copy()
        around = np.s_[max(0, int(y) - 3) : int(y) + 4, max(0, int(x) - 3) : int(x) + 4]
        fixed[around] = self.truth[around]
        assert fixed[int(y), int(x)] == positive
        return fixed, 0.5


def test_clicks_are_counted_until_an_iou_is_reached(examples):
    _, truth = next(objects(examples))
    _, _, ious = click_until_good(Patient(truth), truth)
    assert np.allclose(ious, np.arange(1, 10) / 10, atol=0.01)
    found = describe_clicks([ious, [0.95] * 8, [0.1] * 20], seed=0)
    assert found["noc80"]["mean"] == (8 + 1 + 20) / 3
    assert found["noc90"]["failed"] == 1 / 3
    assert len(found["curve"]) == 20
    assert found["curve"][0] == pytest.approx((0.1 + 0.95 + 0.1) / 3, abs=0.01)
    assert not any(found["worse"])
    assert describe_clicks([[0.5, 0.4]], seed=0)["worse"][0] == 1


def test_damaged_masks_are_clicked_until_they_are_good(examples):
    _, truth = next(objects(examples))
    _, _, ious = correct_until_good(Patient(truth), truth, [0, 1, 2])
    assert 0.72 < ious[0] < 0.88
    assert ious == sorted(ious)
    assert len(ious) >= 9


def test_interactive_protocols_are_measured_and_reported(examples):
    predictor = Predictor.from_pretrained(threads=1)
    report = evaluate(examples, ["noc85", "mask_fix"], predictor, limit=3, progress=False)
    assert list(report["protocols"]) == ["noc", "mask_fix"]
    clicks = report["protocols"]["noc"]["clicks"]
    assert 1 <= clicks["noc80"]["mean"] <= clicks["noc85"]["mean"] <= clicks["noc90"]["mean"] <= 20
    fixes = report["protocols"]["mask_fix"]["clicks"]["curve"]
    assert 0.7 < fixes[0] < 0.9
    with_none = Predictor(predictor.runtime)
    assert not can_answer(PredictorSegmenter(with_none), "noc")

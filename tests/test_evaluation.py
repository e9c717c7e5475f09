"""Figures that can be trusted: every metric against a second implementation, on real masks."""

from __future__ import annotations

import json
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from picosam2 import Predictor
from picosam2.data.coco import CocoFolder
from picosam2.data.source import open_source
from picosam2.evaluation.metrics import boundary_iou, mean_average_precision, summarise
from picosam2.evaluation.protocols import PROTOCOLS, Case, jittered_box
from picosam2.evaluation.run import choose_objects, evaluate
from picosam2.evaluation.segmenter import PredictorSegmenter
from picosam2.masks import extent_centre, mask_iou, most_interior_pixel


class Recorder:
    """A runtime that keeps what it is shown and answers with a centred square."""

    digest = "0" * 64
    scores: ClassVar[dict] = {}
    marks_boxes = False

    def __init__(self) -> None:
        self.crops: list[np.ndarray] = []

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.crops.append(crops)
        logits = np.full((len(crops), 96, 96), -1, np.float32)
        logits[:, 24:72, 24:72] = 1
        return logits, np.full(len(crops), 0.5, np.float32)


def iou_of(name: str, segmenter: PredictorSegmenter, case: Case) -> float:
    mask, _ = PROTOCOLS[name].ask(segmenter, case)
    return mask_iou(mask, PROTOCOLS[name].truth(case))


def cases(folder: CocoFolder) -> list[Case]:
    return [
        Case(image, photograph.mask(annotation), annotation, photograph.image_id)
        for photograph in folder
        for image in [photograph.load()]
        for annotation in photograph.objects
    ]


def as_rle(mask: np.ndarray) -> dict:
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))


def test_mask_iou_agrees_with_pycocotools(examples):
    masks = [case.mask for case in cases(examples) if case.image.shape == (512, 512, 3)]
    for a in masks:
        for b in masks:
            expected = coco_mask.iou([as_rle(a)], [as_rle(b)], [0])[0, 0]
            assert mask_iou(a, b) == pytest.approx(expected)


def test_boundary_iou_agrees_with_opencv(examples, predictor):
    """The edges of predicted and true masks, by erosion as Cheng et al.'s own code has it."""
    import cv2

    def edge(mask: np.ndarray) -> np.ndarray:
        width = max(1, round(0.02 * np.hypot(*mask.shape)))
        kernel = np.ones((3, 3), np.uint8)
        eroded = cv2.erode(np.pad(mask, 1).astype(np.uint8), kernel, iterations=width)
        return mask & ~eroded[1:-1, 1:-1].astype(bool)

    segmenter = PredictorSegmenter(predictor)
    for case in cases(examples):
        segmenter.set_image(case.image)
        for name in ("click", "crop96"):
            mask, _ = PROTOCOLS[name].ask(segmenter, case)
            truth = PROTOCOLS[name].truth(case)
            expected = mask_iou(edge(mask), edge(truth))
            assert boundary_iou(mask, truth) == pytest.approx(expected), case.annotation


def test_boundary_iou_of_empty_masks():
    empty, full = np.zeros((40, 40), bool), np.ones((40, 40), bool)
    assert boundary_iou(empty, empty) == 1.0
    assert boundary_iou(empty, full) == boundary_iou(full, empty) == 0.0


def test_map_agrees_with_pycocotools(examples, predictor):
    """Where every object is a class of its own, COCO's AP is the share of thresholds reached."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    segmenter = PredictorSegmenter(predictor)
    ious, truths, found = [], [], []
    for number, case in enumerate(cases(examples), start=1):
        segmenter.set_image(case.image)
        mask, _ = PROTOCOLS["box"].ask(segmenter, case)
        ious.append(mask_iou(mask, case.mask))
        height, width = case.mask.shape
        common = {"id": number, "image_id": number, "category_id": number, "iscrowd": 0}
        for masks, one in ((truths, case.mask), (found, mask)):
            rle = as_rle(one)
            entry = {"segmentation": rle, "area": int(one.sum()), "score": 1.0}
            masks.append(common | entry | {"bbox": list(coco_mask.toBbox(rle))})
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": t["id"], "height": height, "width": width} for t in truths],
        "annotations": truths,
        "categories": [{"id": t["id"], "name": str(t["id"])} for t in truths],
    }
    coco.createIndex()
    run = COCOeval(coco, coco.loadRes(found), "segm")
    run.evaluate()
    run.accumulate()
    run.summarize()
    assert mean_average_precision(np.array(ious)) == pytest.approx(run.stats[0])
    areas = np.array([truth["area"] for truth in truths])
    by_size = summarise(np.array(ious), areas, seed=0)["by_size"]
    for size, expected in zip(("small", "medium", "large"), run.stats[3:6], strict=True):
        # COCO says -1 where there is no object.
        assert (-1 if by_size[size]["map"] is None else by_size[size]["map"]) == pytest.approx(
            expected
        )


def test_two_empty_masks_agree():
    assert mask_iou(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 1.0


def test_map_by_counting():
    """IoUs of .52 and .93: one reaches 1 threshold of ten, the other 9."""
    assert mean_average_precision(np.array([0.52, 0.93])) == pytest.approx((1 + 9) / 20)


def test_the_interval_agrees_with_the_normal_approximation():
    ious = np.random.default_rng(0).beta(2, 2, 400)
    low, high = summarise(ious, np.full(400, 50), seed=1)["ci95"]
    half = 1.96 * ious.std(ddof=1) / 20
    assert (low, high) == pytest.approx((ious.mean() - half, ious.mean() + half), abs=0.005)


def test_intervals_and_calibration_by_hand_on_real_masks(examples, predictor):
    report = evaluate(examples, ["click", "box"], predictor)
    for name, figures in report["protocols"].items():
        ious, scores = (np.array(report["objects"][name][key]) for key in ("iou", "score"))
        rng = np.random.default_rng(3)
        means = [rng.choice(ious, len(ious)).mean() for _ in range(4000)]
        assert figures["ci95"] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.02)
        assert figures["predicted_iou_error"] == pytest.approx(
            sum(abs(s - i) for s, i in zip(scores, ious, strict=True)) / len(ious), abs=1e-4
        )
        ranks = [np.array([(v < x).sum() + (v == x).sum() / 2 for x in v]) for v in (scores, ious)]
        correlation = np.corrcoef(*ranks)[0, 1]
        assert figures["predicted_iou_rank_correlation"] == pytest.approx(correlation, abs=1e-3)


def test_an_empty_box_or_one_outside_scores_nothing_for_anybody(examples):
    class Eager:
        network = None

        def box(self, corners):
            pytest.fail(f"asked for {corners}")

    case = cases(examples)[0]
    width = case.mask.shape[1]
    for bbox in ((10.0, 10.0, 0.0, 50.0), (width + 5.0, 0.0, 9.0, 9.0), (0.0, -9.0, 9.0, 8.0)):
        annotation = msgspec.structs.replace(case.annotation, bbox=bbox)
        mask, score = PROTOCOLS["box"].ask(Eager(), Case(case.image, case.mask, annotation))
        assert not mask.any()
        assert score == 0.0


def test_sizes_are_split_at_32_and_96_squared():
    areas = np.array([1, 32**2 - 1, 32**2, 96**2 - 1, 96**2])
    by_size = summarise(np.arange(5) / 4, areas, seed=0)["by_size"]
    assert [by_size[name]["n"] for name in ("small", "medium", "large")] == [2, 2, 1]
    assert by_size["large"]["miou"] == 1.0


def test_the_crops_centre_by_hand():
    ring = np.zeros((9, 11), bool)
    ring[2:7, 3:10] = True
    ring[3:6, 4:9] = False
    # The middle (6, 4) is in the hole; the nearest pixels are (6, 2) and (6, 6).
    assert extent_centre(ring) == (6, 2)
    ring[4, 6] = True
    assert extent_centre(ring) == (6, 4)


def test_the_most_interior_pixel_agrees_with_opencv(examples):
    import cv2

    for case in cases(examples):
        x, y = most_interior_pixel(case.mask)
        padded = np.pad(case.mask, 1).astype(np.uint8)
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        assert distance[y, x] == pytest.approx(distance.max(), abs=1e-3)
        assert case.mask[y, x]


def test_the_image_border_counts_as_outside():
    assert most_interior_pixel(np.ones((5, 9), bool)) == (2, 2)


def test_crop96_shows_the_network_native_pixels(examples):
    """Rows and columns c − 48 … c + 47 around the object, black outside; IoU inside the crop."""
    for case in cases(examples):
        recorder = Recorder()
        iou = iou_of("crop96", PredictorSegmenter(Predictor(recorder)), case)
        x, y = extent_centre(case.mask)
        padded = np.pad(case.image, ((48, 48), (48, 48), (0, 0)))
        assert np.array_equal(recorder.crops[0][0], padded[y : y + 96, x : x + 96])
        truth = np.pad(case.mask, 48)[y : y + 96, x : x + 96]
        square = np.zeros((96, 96), bool)
        square[24:72, 24:72] = True
        assert iou == pytest.approx(mask_iou(square, truth))


def test_paper96_equals_crop96_away_from_the_border(examples):
    for case in cases(examples):
        x, y = extent_centre(case.mask)
        height, width = case.mask.shape
        if not (48 <= x <= width - 48 and 48 <= y <= height - 48):
            continue
        crops = []
        for name in ("crop96", "paper96"):
            recorder = Recorder()
            result = iou_of(name, PredictorSegmenter(Predictor(recorder)), case)
            crops.append((recorder.crops[0], result))
        assert np.array_equal(crops[0][0], crops[1][0])
        assert crops[0][1] == crops[1][1]


def test_paper96_stretches_what_the_border_leaves(examples):
    """Near the right border the window is narrower than 96 pixels; at the left it only shifts."""
    import cv2

    case = next(c for c in cases(examples) if c.image.shape == (512, 512, 3))
    mask = np.zeros((512, 512), bool)
    mask[100:181, 480:501] = True
    recorder = Recorder()
    segmenter = PredictorSegmenter(Predictor(recorder))
    iou = iou_of("paper96", segmenter, Case(case.image, mask, case.annotation))
    # The centre is column 490 and row 140: columns 442 … 511, rows 92 … 187.
    window = np.ascontiguousarray(case.image[92:188, 442:512])
    expected = cv2.resize(window, (96, 96), interpolation=cv2.INTER_LINEAR)
    assert np.abs(recorder.crops[0][0].astype(int) - expected).max() <= 2
    # 21 of 70 columns, from the 38th on, become 96 / 70 times as many.
    truth = np.zeros((96, 96), bool)
    truth[8:89, round(38 * 96 / 70) : round(59 * 96 / 70)] = True
    square = np.zeros((96, 96), bool)
    square[24:72, 24:72] = True
    assert iou == pytest.approx(mask_iou(square, truth), abs=0.02)
    mask = np.roll(mask, -480, axis=1)
    iou_of("paper96", segmenter, Case(case.image, mask, case.annotation))
    assert np.array_equal(recorder.crops[1][0], case.image[92:188, :96])


def test_click_and_box_give_the_predictor_the_protocols_prompt(examples, monkeypatch):
    prompts = []

    def predict(self, points=None, labels=None, box=None, mask_input=None, multimask_output=True):
        assert mask_input is None
        prompts.append((points, labels, box, multimask_output))
        return case.mask[None], np.array([1.0]), None

    monkeypatch.setattr(Predictor, "predict", predict)
    case = cases(examples)[0]
    segmenter = PredictorSegmenter(Predictor(Recorder()))
    assert iou_of("click", segmenter, case) == 1.0
    assert iou_of("box", segmenter, case) == 1.0
    x, y = most_interior_pixel(case.mask)
    left, top, width, height = case.annotation.bbox
    assert prompts[0] == ([[x + 0.5, y + 0.5]], [1], None, False)
    assert prompts[1] == (None, None, (left, top, left + width, top + height), False)


def test_jitter_moves_each_side_by_a_share_of_the_box(examples):
    moves = {"box_j05": 0.05, "box_j10": 0.1, "box_j20": 0.2, "box_j30": 0.3}
    for name, jitter in moves.items():
        asked = []

        class Asked:
            network = None

            def box(self, corners):
                asked.append(corners)  # noqa: B023
                return np.zeros((1, 1), bool), 0.0

        for case in cases(examples):
            PROTOCOLS[name].ask(Asked(), case)
        shares = []
        for case, corners in zip(cases(examples), asked, strict=True):
            x, y, width, height = case.annotation.bbox
            exact = np.array([x, y, x + width, y + height])
            shares.append((np.array(corners) - exact) / [width, height, width, height])
        assert np.abs(shares).max() <= jitter
        assert np.abs(shares).max() > jitter / 2
        assert len({tuple(np.round(share, 6)) for share in shares}) == len(shares)


def test_jitter_depends_on_the_object_and_the_seed_only(examples):
    last = cases(examples)[-1]
    again = Case(last.image, last.mask, last.annotation, last.image_id)
    assert jittered_box(last, 0.2) == jittered_box(again, 0.2)
    other = Case(last.image, last.mask, last.annotation, last.image_id, seed=1)
    assert jittered_box(last, 0.2) != jittered_box(other, 0.2)


def test_jittered_boxes_stay_in_the_photograph(examples):
    for case in cases(examples):
        height, width = case.mask.shape
        x0, y0, x1, y1 = jittered_box(case, 0.3)
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height


def test_limit_is_a_seeded_choice(examples):
    def chosen(seed: int) -> set[int]:
        groups = choose_objects(examples, 5, seed)
        return {a.id for _, group in groups for a in group}

    assert len(chosen(0)) == 5
    assert chosen(0) == chosen(0)
    assert chosen(0) != chosen(1)


def test_crowds_and_empty_masks_are_left_out(examples, tmp_path):
    coco = json.loads((examples.path / "instances.json").read_text())
    coco["annotations"][0]["iscrowd"] = 1
    size = [coco["images"][0]["height"], coco["images"][0]["width"]]
    coco["annotations"][1]["segmentation"] = as_rle(np.zeros(size)) | {"size": size}
    counts = coco["annotations"][1]["segmentation"]["counts"]
    coco["annotations"][1]["segmentation"]["counts"] = counts.decode()
    (tmp_path / "instances.json").write_text(json.dumps(coco))
    (tmp_path / "images").symlink_to(examples.path / "images")
    groups = choose_objects(CocoFolder(tmp_path), None, 0)
    assert sum(len(group) for _, group in groups) == len(coco["annotations"]) - 2


def test_twice_gives_identical_figures(predictor, examples):
    reports = [evaluate(examples, ["crop96", "click", "box"], predictor) for _ in range(2)]
    assert reports[0] == reports[1]


@pytest.mark.data
def test_the_photographs_of_coco_val_have_1235_objects(data):
    groups = choose_objects(CocoFolder(data / "coco-val"), None, 0)
    assert sum(len(group) for _, group in groups) == 1235


@pytest.mark.data
def test_polygons_and_rles_agree_with_pycocotools(data):
    """Every mask of coco-val as the COCO API itself rasterises it."""
    from pycocotools.coco import COCO

    folder = CocoFolder(data / "coco-val")
    coco = COCO(str(data / "coco-val" / "instances.json"))
    for photograph in folder:
        for annotation in photograph.objects:
            expected = coco.annToMask(coco.anns[annotation.id])
            assert np.array_equal(photograph.mask(annotation), expected)


@pytest.mark.data
def test_the_shipped_weights_hold_their_figures(data, predictor):
    """A third of coco-val's floor figures, on 120 of its objects."""
    report = evaluate(
        CocoFolder(data / "coco-val"), ["crop96", "click", "box"], predictor, limit=120
    )
    floors = {"crop96": 0.40, "click": 0.30, "box": 0.52}
    for name, floor in floors.items():
        assert report["protocols"][name]["miou"] > floor, name


def test_shards_measure_as_the_folder_they_were_made_from(examples, example_shards, predictor):
    names = ["crop96", "paper96", "click", "box"]
    folder = evaluate(examples, names, predictor)
    shards = evaluate(open_source(example_shards), names, predictor)
    assert shards["protocols"] == folder["protocols"]

"""Masks as other tools' formats: read back by these tools' own rules, they are the same masks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely
import supervision
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import picosam2
from picosam2 import InputError, Predictor
from picosam2.automatic import AutomaticMaskGenerator
from picosam2.data.rle import encode_mask
from picosam2.examples import EXAMPLES
from picosam2.formats import FORMATS, open_format
from picosam2.formats.base import Found, Photograph, Target
from picosam2.formats.cutout import cut_out
from picosam2.formats.polygons import mask_polygons, one_ring
from picosam2.masks import mask_iou, most_interior_pixel

PHOTOS = EXAMPLES / "images"
SIZE = (120, 160)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    return (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 < radius**2


MASKS = {
    "plain": disc(60, 60, 40),
    "hole": disc(60, 60, 40) & ~disc(65, 55, 20),
    "parts": disc(40, 60, 30) | disc(120, 60, 25),
    "parts with holes": (disc(40, 60, 35) & ~disc(35, 50, 12) & ~disc(45, 78, 9))
    | (disc(120, 60, 30) & ~disc(120, 60, 15)),
    "at the border": disc(0, 0, 60) | disc(160, 120, 40),
    "an island in a hole": (disc(80, 60, 50) & ~disc(80, 60, 35)) | disc(80, 60, 20),
}
each_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


def rasterise(rings: list[np.ndarray], size: tuple[int, int] = SIZE) -> np.ndarray:
    """Pixels whose centres are inside, even-odd, in rings in pixels; apart from all our code."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    inside = np.zeros(size, bool)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y0 != y1:
                crosses = (rows < y0) != (rows < y1)
                inside ^= crosses & (columns < x0 + (rows - y0) * (x1 - x0) / (y1 - y0))
    return inside


def write(tmp_path: Path, name: str, masks: list[np.ndarray], **target: object) -> None:
    """A format's files about one photograph that is not there, photo.jpg."""
    settings = {"folder": tmp_path, "file": str(tmp_path / "all.json"), "numbered": True}
    form = open_format(name, Target(**(settings | target)))
    pixels = np.full((*masks[0].shape, 3), 99, np.uint8)
    found = [Found(encode_mask(m), 0.5, np.where(m, 8, -8).astype(np.float32)) for m in masks]
    list(form.add(Photograph(tmp_path / "in" / "photo.jpg", "photo.jpg", pixels), iter(found)))
    list(form.finish())


@each_mask
def test_polygons_without_tolerance_are_the_mask(mask):
    polygons = mask_polygons(mask, 0)
    rings = [np.array(r.coords)[:-1] for p in polygons for r in (p.exterior, *p.interiors)]
    assert np.array_equal(rasterise(rings), mask)
    assert sum(p.area for p in polygons) == mask.sum()


@each_mask
def test_polygons_keep_holes_and_parts(mask):
    polygons = mask_polygons(mask, 1)
    exact = mask_polygons(mask, 0)
    assert len(polygons) == len(exact)
    assert sorted(len(p.interiors) for p in polygons) == sorted(len(p.interiors) for p in exact)
    assert sum(map(shapely.get_num_coordinates, polygons)) < 0.6 * sum(
        map(shapely.get_num_coordinates, exact)
    )
    rings = [np.array(r.coords)[:-1] for p in polygons for r in (p.exterior, *p.interiors)]
    assert mask_iou(rasterise(rings), mask) > 0.97


@given(mask=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_any_mask_is_one_ring_again(mask):
    """Pixels that touch by corners, single pixels, nested holes."""
    polygons = mask_polygons(mask, 0)
    assert bool(polygons) == mask.any()
    if polygons:
        assert np.array_equal(rasterise([one_ring(polygons)], mask.shape), mask)


def test_an_outline_stays_within_the_tolerance():
    mask = MASKS["parts with holes"]
    exact = shapely.union_all(mask_polygons(mask, 0)).boundary
    for tolerance in (0.5, 1, 3):
        simple = shapely.union_all(mask_polygons(mask, tolerance)).boundary
        assert shapely.hausdorff_distance(exact, simple) <= tolerance + 1e-9


@each_mask
def test_coco_is_read_back_by_pycocotools(tmp_path, mask):
    write(tmp_path, "coco", [mask, MASKS["plain"]])
    coco = COCO(tmp_path / "all.json")
    assert coco.loadImgs(1)[0] == {"id": 1, "file_name": "photo.jpg", "width": 160, "height": 120}
    first, second = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert mask_iou(coco.annToMask(first) > 0, mask) > 0.97
    assert mask_iou(coco.annToMask(second) > 0, MASKS["plain"]) > 0.97
    assert first["area"] == mask.sum()
    assert first["bbox"] == coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask))).tolist()
    has_hole = any(p.interiors for p in mask_polygons(mask))
    assert isinstance(first["segmentation"], dict) == has_hole
    if not has_hole:
        assert len(first["segmentation"]) == len(mask_polygons(mask))


@pytest.mark.parametrize(
    ("name", "told", "numbers"),
    [
        ("coco", [None, None], [1, 1]),
        ("coco", [3, None], [3, 1]),
        ("coco", [1, None, 7], [1, 8, 7]),
        ("yolo-seg", [None, 3], [0, 3]),
        ("yolo-seg", [None, 0, 2], [3, 0, 2]),
    ],
)
def test_objects_without_a_category_share_none_with_others(tmp_path, name, told, numbers):
    categories = frozenset(number for number in told if number is not None)
    form = open_format(name, Target(tmp_path, str(tmp_path / "all.json"), categories=categories))
    found = [Found(encode_mask(MASKS["plain"]), 0.5, category_id=number) for number in told]
    photo = Photograph(tmp_path / "photo.jpg", "photo.jpg", np.zeros((120, 160, 3), np.uint8))
    list(form.add(photo, found))
    list(form.finish())
    if name == "coco":
        coco = json.loads((tmp_path / "all.json").read_text())
        assert [each["category_id"] for each in coco["annotations"]] == numbers
        names = {each["id"]: each["name"] for each in coco["categories"]}
        assert [names[n] for n in numbers] == ["object" if n is None else str(n) for n in told]
    else:
        lines = (tmp_path / "photo.txt").read_text().splitlines()
        assert [int(line.split()[0]) for line in lines] == numbers


@each_mask
def test_yolo_lines_are_the_masks(tmp_path, mask):
    write(tmp_path, "yolo-seg", [mask, MASKS["plain"]])
    lines = (tmp_path / "photo.txt").read_text().splitlines()
    assert len(lines) == 2
    for line, expected in zip(lines, (mask, MASKS["plain"]), strict=True):
        kind, *numbers = line.split()
        shares = np.array(numbers, float).reshape(-1, 2)
        assert kind == "0"
        assert shares.min() >= 0
        assert shares.max() <= 1
        assert mask_iou(rasterise([shares * (160, 120)]), expected) > 0.97


@each_mask
def test_labelme_shapes_are_the_mask(tmp_path, mask):
    write(tmp_path, "labelme", [MASKS["plain"], mask])
    content = json.loads((tmp_path / "photo.json").read_text())
    assert (content["imageHeight"], content["imageWidth"]) == SIZE
    assert tmp_path / content["imagePath"] == tmp_path / "in" / "photo.jpg"
    shapes = [shape for shape in content["shapes"] if shape["group_id"] == 2]
    assert len(shapes) == len(mask_polygons(mask))
    rings = [np.array(shape["points"]) for shape in shapes]
    assert mask_iou(rasterise(rings), mask) > 0.97
    assert {shape["shape_type"] for shape in shapes} == {"polygon"}


@pytest.mark.parametrize(("photo", "point"), [("chelsea", (180, 115)), ("coffee", (300, 200))])
def test_real_masks_with_holes_by_labelmes_own_rule(tmp_path, predictor, photo, point):
    """Labelme fills by Pillow, which draws the outline too."""
    predictor.set_image(Image.open(PHOTOS / f"{photo}.jpg"))
    (mask,), _, _ = predictor.predict([point], multimask_output=False)
    column, row = most_interior_pixel(mask)
    rows, columns = np.indices(mask.shape)
    mask &= np.hypot(rows - row, columns - column) > 6
    write(tmp_path, "labelme", [mask])
    picture = Image.new("1", mask.shape[::-1])
    for shape in json.loads((tmp_path / "photo.json").read_text())["shapes"]:
        ImageDraw.Draw(picture).polygon([tuple(p) for p in shape["points"]], fill=1)
    assert mask_iou(np.asarray(picture), mask) > 0.94
    polygons = mask_polygons(mask)
    assert any(polygon.interiors for polygon in polygons)
    assert mask_iou(rasterise([one_ring(polygons)], mask.shape), mask) > 0.97


def test_empty_masks_are_no_polygons(tmp_path):
    empty = np.zeros(SIZE, bool)
    for name in ("coco", "yolo-seg", "labelme", "png", "cutout"):
        write(tmp_path, name, [empty])
    assert (tmp_path / "photo.txt").read_text() == ""
    assert json.loads((tmp_path / "photo.json").read_text())["shapes"] == []
    coco = COCO(tmp_path / "all.json")
    assert not coco.annToMask(coco.loadAnns([1])[0]).any()
    assert not np.asarray(Image.open(tmp_path / "photo.jpg.cutout.001.png")).any()


def test_pictures_are_numbered(tmp_path):
    write(tmp_path, "png", [MASKS["plain"], MASKS["hole"]])
    second = np.asarray(Image.open(tmp_path / "photo.jpg.mask.002.png"))
    assert np.array_equal(second > 127, MASKS["hole"])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "photo.jpg.mask.001.png",
        "photo.jpg.mask.002.png",
        "photo.jpg.overlay.png",
    ]


def test_a_cutout_is_soft_at_its_edge_only(predictor, cat):
    predictor.set_image(cat)
    (mask,), _, _ = predictor.predict(box=(60, 0, 420, 300), multimask_output=False)
    (logits,), _, _ = predictor.predict(
        box=(60, 0, 420, 300), multimask_output=False, return_logits=True
    )
    pixels = np.asarray(cut_out(cat, logits))
    alpha = pixels[..., 3]
    assert np.array_equal(alpha > 127, mask)
    soft = (alpha > 0) & (alpha < 255)
    edge = shapely.union_all(mask_polygons(mask, 0)).boundary
    rows, columns = np.nonzero(soft)
    distances = shapely.distance(edge, shapely.points(columns + 0.5, rows + 0.5))
    assert 200 < soft.sum() < 0.1 * mask.sum()
    assert distances.max() < 3
    assert len(np.unique(alpha[soft])) > 50
    shown = alpha > 0
    assert np.array_equal(pixels[..., :3][shown], cat[shown])
    assert not pixels[..., :3][~shown].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_cutouts_of_a_pixel_or_a_line(shape):
    pixels = np.asarray(
        cut_out(np.full((*shape, 3), 9, np.uint8), np.full(shape, 0.01, np.float32))
    )
    assert (pixels[..., 3] > 127).all()


@pytest.mark.parametrize("name", ["coco", "yolo-seg", "labelme"])
def test_polygons_need_a_package_and_pictures_none(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "shapely", None)
    for module in ("polygons", "coco", "yolo", "labelme"):
        monkeypatch.delitem(sys.modules, f"picosam2.formats.{module}", raising=False)
    with pytest.raises(ModuleNotFoundError, match="shapely"):
        open_format(name, Target(tmp_path, "-"))
    for other in set(FORMATS) - {"coco", "yolo-seg", "labelme"}:
        open_format(other, Target(tmp_path, "-"))


@pytest.fixture(scope="module")
def looking(cat) -> Predictor:
    predictor = Predictor.from_pretrained(threads=1)
    predictor.set_image(cat)
    return predictor


BOXES = [[60, 10, 440, 295], [100, 60, 200, 160], [200, 80, 300, 200]]


def test_supervision_takes_what_predict_gives(looking):
    masks, scores, _ = looking.predict(box=BOXES, multimask_output=False)
    detections = picosam2.to_supervision(masks, scores)
    assert isinstance(detections, supervision.Detections)
    assert np.array_equal(detections.mask, masks[:, 0])
    assert np.allclose(detections.confidence, scores[:, 0])
    for (x0, y0, x1, y1), (mask,) in zip(detections.xyxy.astype(int), masks, strict=True):
        inside = np.zeros_like(mask)
        inside[y0:y1, x0:x1] = True
        assert not (mask & ~inside).any()
        assert mask[y0:y1, x0].any()
        assert mask[y1 - 1, x0:x1].any()
    assert np.array_equal(detections.area, masks.sum(axis=(1, 2, 3)))
    assert picosam2.to_supervision(masks[:, 0]).confidence is None


def test_supervision_takes_every_kind_of_record(looking, cat):
    masks, scores, _ = looking.predict(box=BOXES, multimask_output=False)
    pairs = picosam2.to_supervision(looking.predict_rle(box=BOXES))
    assert np.array_equal(pairs.mask, masks[:, 0])
    records = [
        {"segmentation": rle, "score": score, "category_id": 7}
        for rle, score in looking.predict_rle(box=BOXES)
    ]
    detections = picosam2.to_supervision(records)
    assert np.allclose(detections.confidence, scores[:, 0])
    assert detections.class_id.tolist() == [7, 7, 7]
    for mode in ("binary_mask", "coco_rle"):
        generator = AutomaticMaskGenerator(looking, points_per_side=4, output_mode=mode)
        found = generator.generate(cat)
        all_of_them = picosam2.to_supervision(found)
        assert len(all_of_them) == len(found) > 0
        assert np.allclose(all_of_them.confidence, [f["predicted_iou"] for f in found])
    annotated = supervision.MaskAnnotator().annotate(cat[..., ::-1].copy(), detections)
    assert annotated.shape == cat.shape


def test_supervision_of_nothing_is_empty():
    assert len(picosam2.to_supervision([])) == 0
    assert len(picosam2.to_supervision(np.zeros((2, 5, 5), bool), [0.1, 0.2])) == 0
    assert len(picosam2.to_supervision(np.zeros((0, 5, 5), bool))) == 0


@pytest.mark.parametrize(
    ("masks", "scores", "word"),
    [
        (np.zeros((5, 5), bool), None, "N×H×W"),
        (np.zeros((2, 5, 5), np.float32), None, "bool"),
        (np.zeros((2, 5, 5), bool), [0.5], "2 masks"),
        ([{"segmentation": np.ones((5, 5), bool), "score": 1}], [0.5], "of their own"),
        ([{"bbox": [1, 2, 3, 4]}], None, "not a record"),
        (["mask"], None, "not a record"),
        ([({"size": [5, 5], "counts": "11"}, 0.5)], None, "not a record"),
        ([(np.ones((5, 5), bool), 0.5), (np.ones((4, 5), bool), 0.5)], None, "several sizes"),
    ],
)
def test_what_is_not_masks_is_refused(masks, scores, word):
    with pytest.raises(InputError, match=word):
        picosam2.to_supervision(masks, scores)

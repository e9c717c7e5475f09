"""Labelme's files, and X-AnyLabeling's: read, and what was written read again."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from test_cli import assert_refused, run
from test_importers import import_, import_some

from picosam2.data.coco import CocoFolder
from picosam2.examples import EXAMPLES
from picosam2.masks import mask_iou

WIDTH, HEIGHT = 600, 400
ROWS, COLUMNS = np.indices((HEIGHT, WIDTH)) + 0.5


def shape(kind: str, points: list, **fields: object) -> dict:
    return {"label": "thing", "shape_type": kind, "points": points, "flags": {}} | fields


def write(folder, shapes: list, **fields: object) -> None:
    """``coffee.json`` beside ``coffee.jpg``, as Labelme saves it."""
    folder.mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / "images" / "coffee.jpg", folder)
    content = {
        "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "coffee.jpg",
        "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH,
    }  # fmt: skip
    (folder / "coffee.json").write_text(json.dumps(content | fields))


def one_mask(tmp_path, shapes: list, **fields: object) -> np.ndarray:
    write(tmp_path / "labelme", shapes, **fields)
    (photograph,) = import_("labelme", tmp_path / "labelme", tmp_path / "shards")
    (annotation,) = photograph.objects
    assert annotation.category == "thing"
    return photograph.mask(annotation)


def picture_of(mask: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


SQUARE = (ROWS > 100) & (ROWS < 200) & (COLUMNS > 50) & (COLUMNS < 250)
CIRCLE = np.hypot(ROWS - 200, COLUMNS - 300) < 80
SHAPES = {
    "polygon": (shape("polygon", [[50, 100], [250, 100], [250, 200], [50, 200]]), SQUARE),
    "without a kind": (
        shape("", [[50, 100], [250, 100], [250, 200], [50, 200]]) | {"shape_type": None},
        SQUARE,
    ),
    "rectangle of two corners": (shape("rectangle", [[250, 200], [50, 100]]), SQUARE),
    "rectangle of four, as X-AnyLabeling saves it": (
        shape("rectangle", [[50, 100], [250, 100], [250, 200], [50, 200]], difficult=False),
        SQUARE,
    ),
    "circle": (shape("circle", [[300, 200], [300, 280]]), CIRCLE),
    "mask": (
        shape("mask", [[50, 100], [249, 199]], mask=picture_of(SQUARE[100:200, 50:250])),
        SQUARE,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_kind_of_shape(tmp_path, name):
    drawn, mask = SHAPES[name]
    assert mask_iou(one_mask(tmp_path, [drawn]), mask) > 0.98


def test_shapes_of_one_group_are_one_object(tmp_path):
    square, circle = SHAPES["polygon"][0], SHAPES["circle"][0]
    both = one_mask(tmp_path, [square | {"group_id": 3}, circle | {"group_id": 3}])
    assert mask_iou(both, SQUARE | CIRCLE) > 0.98


def test_shapes_without_a_group_are_an_object_each(tmp_path):
    write(tmp_path / "labelme", [SHAPES["polygon"][0], SHAPES["circle"][0] | {"label": "other"}])
    (photograph,) = import_("labelme", tmp_path / "labelme", tmp_path / "shards")
    assert [a.category for a in photograph.objects] == ["thing", "other"]


def test_a_photograph_that_is_in_the_file_alone(tmp_path):
    content = base64.b64encode((EXAMPLES / "images" / "coffee.jpg").read_bytes()).decode()
    fields = {"imageData": content, "imagePath": "..\\elsewhere\\cup.jpg"}
    assert mask_iou(one_mask(tmp_path, [SHAPES["polygon"][0]], **fields), SQUARE) > 0.98


def test_a_byte_order_mark_and_pixels_with_a_point_are_read(tmp_path):
    write(tmp_path / "labelme", [SHAPES["polygon"][0]], imageWidth=600.0, imageHeight=400.0)
    path = tmp_path / "labelme" / "coffee.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (photograph,) = import_("labelme", tmp_path / "labelme", tmp_path / "shards")
    assert len(photograph.objects) == 1


@pytest.mark.parametrize("name", [b"a\\b.jpg", b"caf\xe9.jpg"], ids=["backslash", "Latin-1"])
def test_what_segment_writes_of_any_name_is_read_again(tmp_path, name):
    photograph = tmp_path / os.fsdecode(name)
    shutil.copy(EXAMPLES / "images" / "chelsea.jpg", photograph)
    box = ("--box", "60,10,300,295")
    result = run("segment", tmp_path, *box, "--format", "labelme", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    (read,) = import_("labelme", tmp_path, tmp_path / "shards")
    assert len(read.objects) == 1


def test_what_segment_writes_is_read_again(tmp_path, predictor):
    """Every bundled photograph, an object a box."""
    examples = CocoFolder(EXAMPLES)
    lines = [
        f"{photograph.record.image.file_name},{x},{y},{x + width},{y + height}"
        for photograph in examples
        for x, y, width, height in (annotation.bbox for annotation in photograph.objects)
    ]
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    options = ["--boxes", tmp_path / "boxes.csv", "--format", "labelme", "--out", tmp_path / "out"]
    result = run("segment", EXAMPLES / "images", *options)
    assert result.exit_code == 0, result.output
    read = import_("labelme", tmp_path / "out", tmp_path / "shards")
    by_name = {photograph.record.image.file_name: photograph for photograph in read}
    for photograph in examples:
        again = by_name[photograph.record.image.file_name]
        predictor.set_image(photograph.load())
        for annotation, found in zip(photograph.objects, again.objects, strict=True):
            x, y, width, height = annotation.bbox
            box = np.array([x, y, x + width, y + height])
            (mask,), _, _ = predictor.predict(box=box, multimask_output=False)
            assert mask_iou(again.mask(found), mask) > 0.95


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (shape("line", [[1, 1], [9, 9]]), "a line has no area"),
        (shape("polygon", [[1, 1], [9, 9]]), "no three points"),
        (shape("polygon", [[1, 1], [9, 9], [1e30, 2]]), "no place"),
        (shape("circle", [[1, 1]]), "a circle of 1 points"),
        (shape("mask", [[1, 1], [2, 2]], mask="AAAA"), "its mask cannot be read"),
        (shape("mask", [[1, 1], [2, 2]]), "without a picture"),
        ({"label": "thing"}, "points"),
        (shape("polygon", [[1, 1], [9, 9], [float("nan"), 2]]), "no place"),
        (shape("circle", [[10**400, 1], [2, 2]]), "out of range"),
    ],
)
def test_a_broken_shape_is_left_out_by_name(tmp_path, broken, says):
    write(tmp_path / "labelme", [SHAPES["polygon"][0], broken])
    (photograph,), (line,) = import_some("labelme", tmp_path / "labelme", tmp_path / "shards")
    assert len(photograph.objects) == 1
    assert "coffee.json" in line
    assert "annotation 1" in line
    assert says in line


def test_an_object_without_a_pixel_is_left_out_by_name(tmp_path):
    beside = shape("rectangle", [[700, 10], [800, 90]], group_id=7)
    write(tmp_path / "labelme", [SHAPES["polygon"][0], beside])
    (photograph,), (line,) = import_some("labelme", tmp_path / "labelme", tmp_path / "shards")
    assert len(photograph.objects) == 1
    assert "thing, group 7: it has no pixel in the photograph" in line


@pytest.mark.parametrize(
    ("shapes", "fields", "says"),
    [
        ([SHAPES["circle"][0]], {"imageWidth": 300}, "300"),
        ([SHAPES["circle"][0]], {"imagePath": "none.jpg"}, "none.jpg"),
        ([SHAPES["circle"][0]], {"imagePath": "none.jpg", "imageData": "?"}, "no base64"),
        (3, {}, "is not Labelme's"),
        ([SHAPES["circle"][0]], {"imageWidth": 600.5}, "600.5, not a number of pixels"),
        ([SHAPES["circle"][0]], {"imageWidth": True}, "True, not a number of pixels"),
        ([shape("line", [[1, 1], [9, 9]])], {}, "none of its shapes"),
        ([shape("rectangle", [[700, 10], [800, 90]])], {}, "none of its shapes"),
    ],
)
def test_a_broken_file_is_left_out(tmp_path, shapes, fields, says):
    write(tmp_path / "labelme", shapes, **fields)
    result = run("data", "import", "labelme", tmp_path / "labelme", "--out", tmp_path / "shards")
    assert_refused(result, "no photograph of")
    assert says in result.stderr

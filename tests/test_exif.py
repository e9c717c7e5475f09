"""A photograph stored on its side: the annotation's width and height say what was annotated."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from test_cli import run

from picosam2.data.coco import CocoFolder
from picosam2.data.import_run import ImportOptions, import_photographs
from picosam2.data.problems import Problems
from picosam2.data.source import open_source
from picosam2.examples import EXAMPLES
from picosam2.images import load_image

# EXIF's orientation, and how a camera turns the upright picture to store it so.
STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def stored_turned(folder: Path, orientation: int, square: bool = False) -> np.ndarray:
    """The cat, as a phone stores it and as its annotation knows it; gives the upright pixels."""
    (folder / "images").mkdir(parents=True)
    upright = Image.open(EXAMPLES / "images" / "chelsea.jpg")
    if square:
        upright = upright.crop((0, 0, 300, 300))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(STORED[orientation])
    stored.save(folder / "images" / "cat.jpg", exif=exif, quality=95, subsampling=0)
    return np.asarray(upright)


def annotate(folder: Path, width: int, height: int) -> None:
    """A box at the upper left of a photograph of this size."""
    box, polygon = [10, 20, 50, 30], [[10, 20, 60, 20, 60, 50, 10, 50]]
    coco = {
        "images": [{"id": 1, "file_name": "cat.jpg", "width": width, "height": height}],
        "annotations": [{"id": 1, "image_id": 1, "bbox": box, "segmentation": polygon}],
    }
    (folder / "instances.json").write_text(json.dumps(coco))


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found.astype(float) - expected).mean() < 4


def photographs_of(folder: Path, tmp_path: Path, exif: str, problems: Problems):
    """Of the folder, of shards made of it, and of a folder made of the shards."""
    yield CocoFolder(folder, problems=problems, exif=exif).photographs[0]
    shards, again = tmp_path / f"shards-{exif}", tmp_path / f"again-{exif}"
    import_photographs("coco", str(folder), str(shards), ImportOptions(exif=exif), Problems())
    yield open_source(shards).photographs[0]
    assert run("data", "export", shards, "--out", again).exit_code == 0
    yield open_source(again).photographs[0]


@pytest.mark.parametrize("orientation", [6, 8])
def test_an_annotation_of_the_upright_size_is_of_the_upright_photograph(tmp_path, orientation):
    upright = stored_turned(tmp_path / "data", orientation)
    annotate(tmp_path / "data", 451, 300)
    problems = Problems(strict=True)
    for photograph in photographs_of(tmp_path / "data", tmp_path, "auto", problems):
        assert_alike(photograph.load(), upright)
        assert photograph.mask(photograph.objects[0]).shape == (300, 451)
    assert not problems.unclear


@pytest.mark.parametrize("exif", ["auto", "ignore"])
def test_an_annotation_of_the_stored_size_is_of_the_stored_pixels(tmp_path, exif):
    upright = stored_turned(tmp_path / "data", 6)
    annotate(tmp_path / "data", 300, 451)
    problems = Problems(strict=True)
    for photograph in photographs_of(tmp_path / "data", tmp_path, exif, problems):
        assert_alike(photograph.load(), np.rot90(upright))
    assert not problems.unclear


@pytest.mark.parametrize(("orientation", "square"), [(6, True), (8, True), (3, True), (3, False)])
def test_where_the_size_does_not_tell_the_photograph_counts_as_upright(
    tmp_path, orientation, square
):
    upright = stored_turned(tmp_path / "data", orientation, square)
    height, width = upright.shape[:2]
    annotate(tmp_path / "data", width, height)
    problems = Problems(strict=True)
    for photograph in photographs_of(tmp_path / "data", tmp_path, "auto", problems):
        assert_alike(photograph.load(), upright)
    assert problems.unclear == ["cat.jpg"]
    stored = np.asarray(Image.fromarray(upright).transpose(STORED[orientation]))
    problems = Problems(strict=True)
    for photograph in photographs_of(tmp_path / "data", tmp_path, "ignore", problems):
        assert_alike(photograph.load(), stored)
    assert not problems.unclear


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("exif", ["auto", "ignore"])
def test_a_tiff_follows_the_same_rule(tmp_path, orientation, exif):
    """Pillow turns this format by itself."""
    upright = stored_turned(tmp_path, orientation)
    with Image.open(tmp_path / "images" / "cat.jpg") as jpeg:
        stored = np.asarray(jpeg)
        jpeg.save(tmp_path / "images" / "cat.tif", tiffinfo={0x0112: orientation})
    expected = upright if exif == "auto" else stored
    annotate(tmp_path, *expected.shape[1::-1])
    annotations = tmp_path / "instances.json"
    annotations.write_text(annotations.read_text().replace("cat.jpg", "cat.tif"))
    assert_alike(load_image(tmp_path / "images" / "cat.tif"), upright)
    for photograph in photographs_of(tmp_path, tmp_path, exif, Problems(strict=True)):
        assert_alike(photograph.load(), expected)


def test_the_warning_names_exif_and_the_way_out(tmp_path):
    stored_turned(tmp_path, 6, square=True)
    annotate(tmp_path, 300, 300)
    result = run("data", "index", tmp_path, "--strict")
    assert result.exit_code == 0
    (warning,) = [line for line in result.stderr.splitlines() if "EXIF" in line]
    assert "cat.jpg" in warning
    assert "upright" in warning
    assert "--exif ignore" in warning
    assert "EXIF" not in run("data", "index", tmp_path, "--exif", "ignore").stderr


def test_a_size_that_is_neither_is_left_out_by_both(tmp_path):
    stored_turned(tmp_path, 6)
    annotate(tmp_path, 452, 300)
    problems = Problems()
    assert not CocoFolder(tmp_path, problems=problems).photographs
    assert "is 300×451 (451×300 upright, by EXIF)" in problems.entries[0].reason
    annotate(tmp_path, 451, 300)
    problems = Problems()
    assert not CocoFolder(tmp_path, problems=problems, exif="ignore").photographs
    assert "EXIF is ignored" in problems.entries[0].reason


def test_data_whose_exif_is_ignored_is_other_data(tmp_path):
    """Kept answers and runs of the one are not gone on with by the other."""
    stored_turned(tmp_path, 6)
    annotate(tmp_path, 300, 451)
    assert CocoFolder(tmp_path).digest != CocoFolder(tmp_path, exif="ignore").digest


@pytest.mark.parametrize("kind", ["photos", "masks", "voc"])
@pytest.mark.parametrize("exif", ["auto", "ignore"])
def test_pictures_without_an_annotation_file_follow_the_same_rule(tmp_path, kind, exif):
    upright = stored_turned(tmp_path / "data", 6)
    expected = upright if exif == "auto" else np.rot90(upright)
    mask = Image.new("L", expected.shape[1::-1])
    mask.paste(255 if kind == "masks" else 1, (10, 20, 60, 50))
    folders = {"masks": ["masks"], "voc": ["SegmentationObject"], "photos": []}
    for name in folders[kind]:
        (tmp_path / "data" / name).mkdir()
        mask.save(tmp_path / "data" / name / "cat.png")
    (tmp_path / "data" / "JPEGImages").symlink_to(tmp_path / "data" / "images")
    source = tmp_path / "data" / ("images" if kind == "photos" else "")
    shards = tmp_path / "shards"
    import_photographs(kind, str(source), str(shards), ImportOptions(exif=exif), Problems(True))
    (photograph,) = open_source(shards, problems=Problems(strict=True))
    assert_alike(photograph.load(), expected)
    with Image.open(io.BytesIO(photograph.encoded.read())) as stored:
        assert stored.size == expected.shape[1::-1]


def test_damaged_exif_turns_nothing(tmp_path):
    cat = Image.open(EXAMPLES / "images" / "chelsea.jpg")
    (tmp_path / "images").mkdir()
    cat.save(tmp_path / "images" / "cat.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    annotate(tmp_path, 451, 300)
    (photograph,) = CocoFolder(tmp_path, problems=Problems(strict=True))
    assert_alike(photograph.load(), load_image(EXAMPLES / "images" / "chelsea.jpg"))
    assert ImageOps.exif_transpose(cat).size == (photograph.width, photograph.height)

"""``picosam2 data``: photographs of every format in, what is there counted, COCO format out."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools.coco import COCO
from test_cli import assert_refused, changed_examples, run

from picosam2.data.coco import CocoFolder
from picosam2.data.importers.masks import read_mask
from picosam2.data.photograph import Photograph
from picosam2.data.reduction import reduce_mask, reduce_record
from picosam2.data.rle import decode_rle, encode_mask, rle_bbox
from picosam2.data.schema import Annotation, ImageInfo, Record, SoftTarget, TeacherMask
from picosam2.data.shards import writing_shard
from picosam2.data.source import ShardFolder
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.masks import mask_iou
from picosam2.segmenting.photos import find_photos
from picosam2.video.frames import open_frames
from picosam2.video.prompts import read_object_masks

FILES = ["chelsea.jpg", "astronaut.jpg", "coffee.jpg", "rocket.jpg"]


def import_(kind: str, source: object, out: Path, *options: object) -> list[Photograph]:
    """The photographs that an import writes, where nothing is left out."""
    photographs, left_out = import_some(kind, source, out, *options)
    assert not left_out
    return photographs


def import_some(
    kind: str, source: object, out: Path, *options: object
) -> tuple[list[Photograph], list[str]]:
    """What an import writes, and what it says it left out."""
    result = run("data", "import", kind, source, "--out", out, *options)
    assert result.exit_code == 0, result.output
    found = ShardFolder(out)
    assert not found.problems.messages
    lines = result.stderr.splitlines()
    left_out = [line[10:] for line in lines if line.startswith("left out: ")]
    return found.photographs, [line for line in left_out if " in all: " not in line]


def files(photographs: list[Photograph]) -> list[str]:
    return [p.record.image.file_name for p in photographs]


def keys(folder: Path) -> list[str]:
    names = []
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard) as tar:
            names += tar.getnames()
    return [name.removesuffix(".jpg") for name in names if name.endswith(".jpg")]


def drawn_objects(photograph: Photograph) -> np.ndarray:
    """H×W uint8: 0, and 1 to N on the objects; an object covers those before it."""
    numbers = np.zeros((photograph.height, photograph.width), np.uint8)
    for number, annotation in enumerate(photograph.objects, start=1):
        numbers[photograph.mask(annotation)] = number
    return numbers


@pytest.fixture
def copied(tmp_path) -> Path:
    """The examples in a folder of their own, to be changed."""
    (tmp_path / "examples" / "images").mkdir(parents=True)
    for name in ("instances.json", *(f"images/{file}" for file in FILES)):
        (tmp_path / "examples" / name).write_bytes((EXAMPLES / name).read_bytes())
    return tmp_path / "examples"


# COCO and LVIS


def test_a_folder_of_ours_is_imported_as_it_is(tmp_path, examples):
    photographs = import_("coco", EXAMPLES, tmp_path / "shards")
    assert [p.record for p in photographs] == [p.record for p in examples]
    assert [p.encoded.read() for p in photographs] == [p.encoded.read() for p in examples]
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["coco-000000.tar"]


def test_cocos_own_layout_needs_its_split(tmp_path):
    source = tmp_path / "coco"
    (source / "annotations").mkdir(parents=True)
    for split in ("train2017", "val2017"):
        (source / split).symlink_to(EXAMPLES / "images")
        target = source / "annotations" / f"instances_{split}.json"
        target.write_bytes((EXAMPLES / "instances.json").read_bytes())
    for wrong in ((), ("--split", "test2017")):
        result = run("data", "import", "coco", source, "--out", tmp_path / "shards", *wrong)
        assert_refused(result, "--split", "train2017, val2017")
    photographs = import_("coco", source, tmp_path / "shards", "--split", "val2017")
    assert files(photographs) == FILES
    assert {p.record.image.split for p in photographs} == {"val2017"}
    assert (tmp_path / "shards" / "val2017-000000.tar").is_file()


def test_every_kind_of_coco_segmentation_is_imported(tmp_path, examples):
    """Polygons, runs, the compressed runs of a crowd, and a box alone: all of the cat."""
    rle = examples.photographs[0].objects[0].segmentation
    pixels = decode_rle(rle).ravel(order="F")
    ends = [0, *np.flatnonzero(np.diff(pixels)) + 1, pixels.size]
    # The first run is of background, and may be empty.
    runs = ([0] if pixels[0] else []) + np.diff(ends).tolist()
    with changed_examples(tmp_path) as coco:
        polygons = coco["annotations"][0]
        crowd = {"id": 3, "iscrowd": 1, "segmentation": {"size": rle.size, "counts": rle.counts}}
        coco["annotations"] = [
            polygons,
            polygons | {"id": 2, "segmentation": {"size": rle.size, "counts": runs}},
            polygons | crowd,
            {"id": 4, "image_id": 1, "bbox": [0, 0, 398, 300], "category_id": 1},
        ]
    *masks, box = import_("coco", tmp_path, tmp_path / "shards")[0].record.annotations
    assert [mask.segmentation for mask in masks] == [rle] * 3
    assert [mask.iscrowd for mask in masks] == [0, 0, 1]
    assert (box.segmentation, box.bbox, box.category) == (None, (0, 0, 398, 300), "cat")


def test_what_others_call_a_source_is_no_teacher(tmp_path):
    with changed_examples(tmp_path) as coco:
        coco["annotations"][0]["source"] = "openimages"
        coco["annotations"][1]["source"] = "teacher"
    objects = import_("coco", tmp_path, tmp_path / "shards")[0].objects
    assert [a.source for a in objects[:3]] == ["human", "teacher", "human"]


def test_annotations_of_no_image_are_named(tmp_path):
    with changed_examples(tmp_path) as coco:
        coco["annotations"][0]["image_id"] = 99
    photographs, left_out = import_some("coco", tmp_path, tmp_path / "shards")
    assert sum(len(p.objects) for p in photographs) == 13
    first = json.loads((EXAMPLES / "instances.json").read_text())["annotations"][0]["id"]
    assert left_out == [f"instances.json in {tmp_path}: annotation {first}: there is no image 99"]


def test_lvis_finds_its_images_by_their_address(tmp_path, examples):
    coco = json.loads((EXAMPLES / "instances.json").read_text())
    splits = ["train2017", "val2017", "val2017", "train2017"]
    for image, split in zip(coco["images"], splits, strict=True):
        name = image.pop("file_name")
        image["coco_url"] = f"http://images.cocodataset.org/{split}/{name}"
        (tmp_path / split).mkdir(exist_ok=True)
        (tmp_path / split / name).symlink_to(EXAMPLES / "images" / name)
    (tmp_path / "lvis_v1_val.json").write_text(json.dumps(coco))
    photographs = import_("lvis", tmp_path, tmp_path / "shards", "--split", "val")
    assert files(photographs) == [f"{s}/{f}" for s, f in zip(splits, FILES, strict=True)]
    assert [p.record.image.split for p in photographs] == splits
    assert [p.record.annotations for p in photographs] == [p.record.annotations for p in examples]
    assert (tmp_path / "shards" / "val-000000.tar").is_file()


def test_lvis_in_our_layout_is_imported_too(tmp_path):
    assert files(import_("lvis", EXAMPLES, tmp_path / "shards")) == FILES


# VOC

CLASSES = {"chelsea.jpg": (8, "cat"), "coffee.jpg": (5, "bottle"), "rocket.jpg": (1, "aeroplane")}


@pytest.fixture
def voc(tmp_path, examples) -> Path:
    """The examples as VOC draws them: void round the objects, astronaut without classes."""
    folder = tmp_path / "VOC2012"
    lists = folder / "ImageSets" / "Segmentation"
    pictures = ["JPEGImages", "SegmentationObject", "SegmentationClass"]
    for path in (lists, *(folder / name for name in pictures)):
        path.mkdir(parents=True)
    (lists / "train.txt").write_text("chelsea\nrocket\n")
    (lists / "val.txt").write_text("coffee\n")
    for photograph in examples:
        file = photograph.record.image.file_name
        (folder / "JPEGImages" / file).write_bytes(photograph.encoded.read())
        numbers = drawn_objects(photograph)
        edges = np.pad(np.diff(numbers.astype(int), axis=1) != 0, ((0, 0), (0, 1)))
        classes = (numbers > 0) * CLASSES.get(file, (0, ""))[0]
        for name, values in zip(pictures[1:], (numbers, classes), strict=True):
            picture = Image.fromarray(np.where(edges, 255, values).astype(np.uint8)).convert("P")
            picture.save(folder / name / file.replace(".jpg", ".png"))
    (folder / "SegmentationClass" / "astronaut.png").unlink()
    return folder


def test_vocs_objects_have_their_class_and_no_void_pixels(tmp_path, voc, examples):
    photographs = import_("voc", voc, tmp_path / "shards")
    assert files(photographs) == sorted(FILES)
    for photograph in photographs:
        file = photograph.record.image.file_name
        picture = Image.open(voc / "SegmentationObject" / file.replace(".jpg", ".png"))
        numbers = np.asarray(picture)
        found = np.zeros_like(numbers)
        for annotation in photograph.objects:
            mask = photograph.mask(annotation)
            found[mask] = annotation.id % 100_000
            assert (annotation.category_id, annotation.category) == CLASSES.get(file, (None, None))
            assert (annotation.area, annotation.bbox) == (mask.sum(), rle_bbox(encode_mask(mask)))
        assert np.array_equal(found, np.where(numbers == 255, 0, numbers))


def test_vocs_splits_are_its_lists(tmp_path, voc):
    photographs = import_("voc", voc, tmp_path / "shards", "--split", "train")
    assert files(photographs) == ["chelsea.jpg", "rocket.jpg"]
    assert {p.record.image.split for p in photographs} == {"train"}
    assert (tmp_path / "shards" / "train-000000.tar").is_file()
    result = run("data", "import", "voc", voc, "--out", tmp_path / "test", "--split", "test")
    assert_refused(result, "'test'", "train, val")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa cat\r\nrocket\r\n",
        b"a cat  1\nrocket -1\n",
        b"\na cat 0 \n\nrocket",
    ],
)
def test_vocs_lists_have_a_name_a_line(tmp_path, voc, content):
    (voc / "JPEGImages" / "chelsea.jpg").rename(voc / "JPEGImages" / "a cat.jpg")
    (voc / "SegmentationObject" / "chelsea.png").rename(voc / "SegmentationObject" / "a cat.png")
    (voc / "ImageSets" / "Segmentation" / "some.txt").write_bytes(content)
    found = import_("voc", voc, tmp_path / "shards", "--split", "some")
    assert files(found) == ["a cat.jpg", "rocket.jpg"]


def test_a_list_of_voc_that_is_no_text_is_named(tmp_path, voc):
    (voc / "ImageSets" / "Segmentation" / "some.txt").write_bytes(b"caf\xe9\n")
    result = run("data", "import", "voc", voc, "--split", "some", "--out", tmp_path / "shards")
    assert_refused(result, "some.txt is no text in UTF-8")


def test_vocs_pictures_with_colours_instead_of_numbers_are_left_out(tmp_path, voc):
    picture = voc / "SegmentationObject" / "coffee.png"
    Image.open(picture).convert("RGB").save(picture)
    photographs, (left_out,) = import_some("voc", voc, tmp_path / "shards")
    assert files(photographs) == ["astronaut.jpg", "chelsea.jpg", "rocket.jpg"]
    assert "colours instead of numbers" in left_out


# SA-1B


@pytest.fixture
def sa1b(tmp_path) -> Path:
    """The examples in two tars as SA-1B has them: no source, no class, how sure the model was."""
    folder = tmp_path / "sa1b"
    photographs = CocoFolder(EXAMPLES).photographs
    for number, part in enumerate((photographs[:3], photographs[3:])):
        with writing_shard(str(folder / f"sa_{number:06d}.tar")) as shard:
            for photograph in part:
                key = f"sa_{photograph.image_id}"
                image = msgspec.structs.replace(photograph.record.image, file_name=f"{key}.jpg")
                annotations = [
                    msgspec.structs.replace(
                        a, source=None, category_id=None, category=None,
                        predicted_iou=0.96, stability_score=0.97, point_coords=[(99.5, 80.25)],
                    )
                    for a in photograph.objects
                ]  # fmt: skip
                shard.add(key, Record(image, annotations), photograph.encoded.read())
    return folder


def test_sa1bs_photographs_pass_through_as_they_are(tmp_path, sa1b):
    given = ShardFolder(sa1b).photographs
    photographs = import_("sa1b", sa1b, tmp_path / "shards")
    assert [p.record for p in photographs] == [p.record for p in given]
    assert [p.encoded.read() for p in photographs] == [p.encoded.read() for p in given]
    one = import_("sa1b", sa1b / "sa_000001.tar", tmp_path / "one")
    assert files(one) == ["sa_4.jpg"]


def test_sa1bs_photographs_can_be_reduced(tmp_path, sa1b):
    photographs = import_("sa1b", sa1b, tmp_path / "shards", "--max-side", 225)
    cat = photographs[0]
    assert (cat.width, cat.height, cat.record.image.original_size) == (225, 150, (451, 300))
    (point,) = cat.objects[0].point_coords
    assert point == pytest.approx((99.5 * 225 / 451, 80.25 / 2))


def test_what_is_damaged_in_sa1bs_tars_is_named(tmp_path, sa1b):
    tar = sa1b / "sa_000000.tar"
    tar.write_bytes(tar.read_bytes()[:-80_000])
    photographs, left_out = import_some("sa1b", sa1b, tmp_path / "shards")
    assert files(photographs) == ["sa_1.jpg", "sa_2.jpg", "sa_4.jpg"]
    assert any("sa_3" in line for line in left_out)


# Masks as pictures


@pytest.fixture
def masked(tmp_path, examples) -> Path:
    """Masks as people have them: grey, of 0 and 1, palette, bilevel, and a folder of several."""
    folder = tmp_path / "masked"
    for path in (folder / "images", folder / "masks" / "chelsea"):
        path.mkdir(parents=True)
    cat, astronaut, coffee, rocket = examples
    for photograph in examples:
        file = photograph.record.image.file_name
        (folder / "images" / file).write_bytes(photograph.encoded.read())
    for number, annotation in enumerate(cat.objects):
        mask = Image.fromarray(cat.mask(annotation))
        mask.convert("L").save(folder / "masks" / "chelsea" / f"{number:02d}.png")
    zero_one = Image.fromarray(astronaut.mask(astronaut.objects[0]).astype(np.uint8))
    zero_one.save(folder / "masks" / "astronaut.png")
    palette = Image.fromarray(coffee.mask(coffee.objects[0]).astype(np.uint8) * 3).convert("P")
    palette.save(folder / "masks" / "coffee.png")
    Image.fromarray(rocket.mask(rocket.objects[0])).save(folder / "masks" / "rocket.png")
    return folder


def test_every_kind_of_mask_gives_the_object(tmp_path, masked, examples):
    photographs = import_("masks", masked, tmp_path / "shards")
    by_file = {p.record.image.file_name: p for p in examples}
    assert files(photographs) == sorted(FILES)
    assert [len(p.objects) for p in photographs] == [1, len(examples.photographs[0].objects), 1, 1]
    for photograph in photographs:
        known = by_file[photograph.record.image.file_name]
        assert photograph.encoded.read() == known.encoded.read()
        for annotation, other in zip(photograph.objects, known.objects, strict=False):
            assert annotation.segmentation == other.segmentation
            assert annotation.source == "human"


def test_grey_edges_of_a_mask_are_cut_at_half(tmp_path, masked, examples):
    coffee = examples.photographs[2]
    mask = coffee.mask(coffee.objects[0])
    edge = np.where(np.roll(mask, 1, axis=1), 127, 0)
    for scale, kind in ((1, np.uint8), (257, np.uint16)):
        grey = (np.where(mask, 128, edge) * scale).astype(kind)
        Image.fromarray(grey).save(masked / "masks" / "coffee.png")
        photographs = import_("masks", masked, tmp_path / str(scale))
        assert np.array_equal(photographs[2].mask(photographs[2].objects[0]), mask)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("told_by", ["alpha", "brightness"])
def test_every_reader_of_masks_reads_a_cutout_by_its_alpha(
    tmp_path, masked, examples, mode, told_by
):
    coffee = examples.photographs[2]
    mask = coffee.mask(coffee.objects[0])
    if told_by == "alpha":
        picture = Image.fromarray(coffee.load()).convert(mode)
        picture.putalpha(Image.fromarray(np.where(mask, 128, 127).astype(np.uint8)))
    else:
        picture = Image.fromarray(mask).convert("L").convert(mode)
    path = masked / "masks" / "coffee.png"
    picture.save(path)
    imported = import_("masks", masked, tmp_path / "shards")[2]
    for found in (
        imported.mask(imported.objects[0]),
        read_mask(path, (600, 400)),
        read_object_masks(path, (400, 600))[1],
    ):
        assert np.array_equal(found, mask)


def test_an_empty_mask_is_a_photograph_without_object(tmp_path, masked):
    Image.new("L", (600, 400)).save(masked / "masks" / "coffee.png")
    assert not import_("masks", masked, tmp_path / "shards")[2].objects


def test_masks_belong_to_the_upright_photograph(tmp_path, masked, examples):
    """A phone stores a portrait lying down, with a note."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.open(masked / "images" / "coffee.jpg").transpose(Image.Transpose.ROTATE_90)
    lying.save(masked / "images" / "coffee.jpg", exif=exif)
    coffee = import_("masks", masked, tmp_path / "shards")[2]
    assert coffee.load().shape == (400, 600, 3)
    assert coffee.objects[0].segmentation == examples.photographs[2].objects[0].segmentation


def no_mask(masked):
    (masked / "masks" / "coffee.png").unlink()


def mask_of_another_size(masked):
    Image.new("L", (400, 600)).save(masked / "masks" / "coffee.png")


def mask_of_numbers(masked):
    numbers = np.arange(600 * 400, dtype=np.uint8).reshape(400, 600) % 5
    Image.fromarray(numbers).save(masked / "masks" / "coffee.png")


def broken_mask(masked):
    (masked / "masks" / "coffee.png").write_text("no mask")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (no_mask, "has no masks/coffee.png and no masks/coffee/*.png"),
        (mask_of_another_size, "is 600×400, its mask masks/coffee.png is 400×600"),
        (mask_of_numbers, "values up to 4: give 0 and 255"),
        (broken_mask, "coffee.png"),
    ],
)
def test_a_photograph_whose_mask_is_wrong_is_left_out(tmp_path, masked, damage, reason):
    damage(masked)
    photographs, left_out = import_some("masks", masked, tmp_path / "shards")
    assert files(photographs) == ["astronaut.jpg", "chelsea.jpg", "rocket.jpg"]
    assert left_out[0].startswith("coffee.jpg in ")
    assert reason in left_out[0]


def test_a_mask_without_photograph_is_named(tmp_path, masked):
    (masked / "images" / "coffee.jpg").unlink()
    _, left_out = import_some("masks", masked, tmp_path / "shards")
    assert left_out[0].startswith("coffee.png in ")
    assert "no photograph of this name" in left_out[0]


def test_masks_are_named_in_any_case_and_hidden_files_are_none(tmp_path, masked):
    masks = masked / "masks"
    (masks / "coffee.png").rename(masks / "coffee.PNG")
    (masks / "chelsea" / "00.png").rename(masks / "chelsea" / "00.PNG")
    for folder in (masks, masks / "chelsea"):
        (folder / "._00.png").write_bytes(b"macOS")
    photographs, left_out = import_some("masks", masked, tmp_path / "shards")
    assert files(photographs) == sorted(FILES)
    assert not left_out


def test_a_photograph_in_a_folder_below_is_named(tmp_path, masked):
    (masked / "images" / "below").mkdir()
    (masked / "images" / "coffee.jpg").rename(masked / "images" / "below" / "coffee.jpg")
    _, left_out = import_some("masks", masked, tmp_path / "shards")
    assert left_out[0].startswith("below/coffee.jpg in ")
    assert "put it into images/" in left_out[0]


# Photographs alone


def save(path: Path, image: Image.Image, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def test_every_kind_of_photograph_becomes_the_jpeg_that_people_see(tmp_path):
    album = tmp_path / "album"
    cat = Image.open(EXAMPLES / "images" / "chelsea.jpg")
    lying = Image.Exif()
    lying[0x0112] = 8
    grey = np.asarray(cat.convert("L"))
    save(album / "cmyk.jpg", cat.convert("CMYK"))
    save(album / "deep.png", Image.fromarray(grey.astype(np.uint16) * 257))
    save(album / "gif" / "palette.gif", cat.convert("P"))
    save(album / "phone.jpg", cat, exif=lying)
    save(album / "transparent.png", cat.convert("RGBA"))
    save(album / "web.WEBP", cat)
    photographs = import_("photos", album, tmp_path / "shards")
    assert files(photographs) == [
        "cmyk.jpg", "deep.png", "gif/palette.gif", "phone.jpg", "transparent.png", "web.WEBP"
    ]  # fmt: skip
    for photograph in photographs:
        pixels = photograph.load()
        seen = load_image(album / photograph.record.image.file_name)
        assert pixels.shape == seen.shape
        assert np.abs(pixels.astype(float) - seen).mean() < 4
        with Image.open(io.BytesIO(photograph.encoded.read())) as stored:
            assert (stored.format, stored.mode, dict(stored.getexif())) == ("JPEG", "RGB", {})
        assert not photograph.objects
    assert photographs[3].height > photographs[3].width


def test_upright_jpegs_are_stored_byte_for_byte(tmp_path):
    album = tmp_path / "album"
    cat = Image.open(EXAMPLES / "images" / "chelsea.jpg")
    upright = Image.Exif()
    upright[0x0112] = 1
    save(album / "colour.jpg", cat, exif=upright)
    save(album / "grey.jpeg", cat.convert("L"), progressive=True)
    for photograph in import_("photos", album, tmp_path / "shards"):
        file = album / photograph.record.image.file_name
        assert photograph.encoded.read() == file.read_bytes()


def test_what_a_phone_adds_after_a_jpegs_end_is_dropped(tmp_path):
    """Such as the film of a moving photograph; the shard's reader would take it for damage."""
    content = (EXAMPLES / "images" / "chelsea.jpg").read_bytes()
    (tmp_path / "moving.jpg").write_bytes(content + b"film" * 1000)
    (photograph,) = import_("photos", tmp_path, tmp_path / "shards")
    assert photograph.load().shape == (300, 451, 3)


@pytest.mark.parametrize("name", ["cat.jfif", "cat.jpe", "cat.TGA", "cat.gif", "cat.pgm"])
def test_every_verb_finds_photographs_by_the_same_suffixes(tmp_path, name):
    cat = Image.open(EXAMPLES / "images" / "chelsea.jpg")
    save(tmp_path / "album" / name, cat)
    assert files(import_("photos", tmp_path / "album", tmp_path / "shards")) == [name]
    assert [photo.name for photo in find_photos([tmp_path / "album"])] == [name]
    assert len(open_frames(tmp_path / "album")) == 1


def test_other_files_and_hidden_ones_are_no_photographs(tmp_path):
    album = tmp_path / "album"
    cat = Image.open(EXAMPLES / "images" / "chelsea.jpg")
    for name in ("a.jpg", ".b.jpg", ".cache/c.jpg"):
        save(album / name, cat)
    (album / "notes.txt").write_text("hello")
    assert files(import_("photos", album, tmp_path / "shards")) == ["a.jpg"]


def test_photographs_that_cannot_be_read_are_named(tmp_path):
    album = tmp_path / "album"
    content = (EXAMPLES / "images" / "chelsea.jpg").read_bytes()
    album.mkdir()
    (album / "cut.jpg").write_bytes(content[:20_000])
    (album / "good.jpg").write_bytes(content)
    (album / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    photographs, left_out = import_some("photos", album, tmp_path / "shards")
    assert files(photographs) == ["good.jpg"]
    assert [line.split()[0] for line in left_out] == ["cut.jpg", "phone.heic"]


# Reduction


def test_the_longest_side_is_reduced_with_all_that_is_drawn_on_it(tmp_path, examples):
    photographs = import_("coco", EXAMPLES, tmp_path / "shards", "--max-side", 500)
    sizes = [(p.width, p.height) for p in photographs]
    assert sizes == [(451, 300), (500, 500), (500, 333), (500, 334)]
    for small, full in zip(photographs, examples, strict=True):
        if full.width <= 500:
            assert small.record == full.record
            assert small.encoded.read() == full.encoded.read()
            continue
        assert small.record.image.original_size == (full.width, full.height)
        assert small.load().shape == (small.height, small.width, 3)
        scale = np.tile([small.width / full.width, small.height / full.height], 2)
        for annotation, known in zip(small.objects, full.objects, strict=True):
            assert annotation.bbox == pytest.approx(np.array(known.bbox) * scale)
            assert annotation.area == pytest.approx(known.area * scale[0] * scale[1])
            mask = Image.fromarray(small.mask(annotation)).resize((full.width, full.height))
            assert mask_iou(np.asarray(mask), full.mask(known)) > 0.9


def test_the_original_size_is_the_one_before_the_first_reduction(tmp_path):
    import_("coco", EXAMPLES, tmp_path / "first", "--max-side", 400)
    photographs = import_("sa1b", tmp_path / "first", tmp_path / "second", "--max-side", 200)
    assert [p.record.image.original_size for p in photographs] == [
        (451, 300), (512, 512), (600, 400), (640, 427)
    ]  # fmt: skip


def test_objects_that_vanish_are_counted(tmp_path):
    with changed_examples(tmp_path) as coco:
        speck = {"segmentation": [[9, 9, 11, 9, 11, 11, 9, 11]], "bbox": [9, 9, 2, 2]}
        coco["annotations"].append({"id": 99, "image_id": 1} | speck)
    photographs, (left_out,) = import_some("coco", tmp_path, tmp_path / "s", "--max-side", 100)
    assert left_out == "1 objects that vanish at this size"
    assert 99 not in [a.id for a in photographs[0].record.annotations]


@given(
    mask=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
)
@settings(max_examples=200, deadline=None)
def test_a_reduced_mask_covers_the_pixels_it_covered_by_half(mask, height, width):
    height, width = min(height, mask.shape[0]), min(width, mask.shape[1])
    # Cut into parts so small that both pixel grids are made of whole ones.
    parts = np.kron(mask, np.ones((height, width), int))
    blocks = parts.reshape(height, mask.shape[0], width, mask.shape[1]).sum((1, 3))
    assert np.array_equal(reduce_mask(mask, height, width), 2 * blocks >= mask.size)


def test_a_teachers_answers_are_reduced_too():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 20:50] = True
    speck = np.zeros((40, 60), bool)
    speck[0, 0] = True
    rle, small = encode_mask(mask), encode_mask(mask[::2, ::2])
    to_box = TeacherMask(rle, 0.9, 0.8, box=(20, 10, 50, 30))
    to_click = TeacherMask(encode_mask(speck), 0.2, 0.1, point_coords=[(0.5, 0.5)])
    annotation = Annotation(
        1, (20, 10, 30, 20), rle, 600, teacher=[to_box, to_click],
        soft=SoftTarget(0, (15, 5, 40)),
    )  # fmt: skip
    reduced = reduce_record(Record(ImageInfo(1, 60, 40, "a.jpg"), [annotation]), 30, 20)
    assert reduced.image == ImageInfo(1, 30, 20, "a.jpg", (60, 40))
    assert reduced.annotations == [
        Annotation(
            1, (10, 5, 15, 10), small, 150, soft=SoftTarget(0, (7.5, 2.5, 20)),
            teacher=[TeacherMask(small, 0.9, 0.8, box=(10, 5, 25, 15))],
        )
    ]  # fmt: skip


# What is left out, and what is refused


def missing(folder, coco):
    (folder / "images" / "coffee.jpg").unlink()


def cut_off(folder, coco):
    photograph = folder / "images" / "coffee.jpg"
    photograph.write_bytes(photograph.read_bytes()[:9000])


def not_an_image(folder, coco):
    (folder / "images" / "coffee.jpg").write_text("this is not a photograph")


def another_size(folder, coco):
    coco["images"][2]["width"] += 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (missing, "there is no file"),
        (cut_off, "truncated"),
        (not_an_image, "not an image"),
        (another_size, "the photograph is 600×400, its annotation says 601×400"),
    ],
)
def test_what_does_not_fit_is_left_out_by_name(copied, tmp_path, damage, reason):
    coco = json.loads((copied / "instances.json").read_text())
    damage(copied, coco)
    (copied / "instances.json").write_text(json.dumps(coco))
    photographs, (left_out,) = import_some("coco", copied, tmp_path / "shards")
    assert files(photographs) == ["chelsea.jpg", "astronaut.jpg", "rocket.jpg"]
    assert left_out.startswith(f"coffee.jpg in {copied}: ")
    assert reason in left_out


def test_where_nothing_can_be_imported_nothing_is_written(copied, tmp_path):
    for photograph in (copied / "images").iterdir():
        photograph.write_text("this is not a photograph")
    result = run("data", "import", "coco", copied, "--out", tmp_path / "shards")
    assert_refused(result, "no photograph of", "could be imported")
    assert result.stderr.count("left out: ") == 4 + 1
    assert [path.name for path in tmp_path.iterdir()] == ["examples"]


@pytest.mark.parametrize("kind", ["coco", "lvis", "voc", "sa1b", "masks", "labelme", "photos"])
def test_a_folder_of_another_format_is_refused(tmp_path, kind):
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "none"):
        result = run("data", "import", kind, source, "--out", tmp_path / "shards")
        assert_refused(result, str(source))
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_file_names_that_are_no_text(tmp_path):
    """Latin-1 names of an old disk, one of them of a damaged photograph."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    shutil.copy(EXAMPLES / "images" / "coffee.jpg", os.fsencode(folder) + b"/caf\xe9.jpg")
    with open(os.fsencode(folder) + b"/br\xf6ken.jpg", "wb") as file:  # noqa: PTH123 (bytes)
        file.write(b"no photograph")
    (photograph,), (line,) = import_some("photos", folder, tmp_path / "shards")
    assert photograph.record.image.file_name == "caf?.jpg"
    assert "ken.jpg" in line
    assert (tmp_path / "shards" / "left-out.jsonl").read_text("utf-8").count("\n") == 1


def test_shards_are_never_mixed(tmp_path):
    import_("coco", EXAMPLES, tmp_path / "shards")
    result = run("data", "import", "coco", EXAMPLES, "--out", tmp_path / "shards")
    assert_refused(result, "there already", "new folder")
    (tmp_path / "file").write_text("a file")
    for out in (tmp_path / "file", tmp_path / "file" / "shards"):
        assert_refused(run("data", "import", "coco", EXAMPLES, "--out", out), str(out))


def test_shards_are_written_to_any_file_system_of_fsspec(tmp_path, examples):
    for folder in ("memory://imported/a", "memory://imported/b/"):
        result = run("data", "import", "coco", EXAMPLES, "--out", folder, "--per-shard", 3)
        assert result.exit_code == 0, result.output
        assert [p.record for p in ShardFolder(folder)] == [p.record for p in examples]
    result = run("data", "import", "coco", EXAMPLES, "--out", "memory://imported/a")
    assert_refused(result, "holds shards already")


@pytest.mark.parametrize("out", ["{tmp_path}/shards", "memory://full"])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, out):
    add, calls = tarfile.TarFile.addfile, iter(range(5))

    def full(self, *arguments):
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        add(self, *arguments)

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    out = out.format(tmp_path=tmp_path)
    result = run("data", "import", "coco", EXAMPLES, "--out", out, "--per-shard", 1)
    assert_refused(result, "No space left on device")
    assert not list(tmp_path.iterdir())
    assert_refused(run("data", "index", out))


# Which photographs, and their names


def test_a_limit_takes_the_first_of_a_seeded_shuffle_in_the_sources_order(tmp_path):
    def chosen(limit, seed):
        out = tmp_path / f"{limit}-{seed}"
        return files(import_("coco", EXAMPLES, out, "--limit", limit, "--seed", seed))

    for seed in range(6):
        two, three = chosen(2, seed), chosen(3, seed)
        assert len(two) == 2
        assert [file for file in FILES if file in three] == three
        assert set(two) < set(three)
    assert len({tuple(chosen(1, seed)) for seed in range(10, 20)}) > 1
    assert chosen(9, 0) == FILES


def test_shards_hold_so_many_photographs(tmp_path):
    import_("coco", EXAMPLES, tmp_path / "shards", "--per-shard", 3, "--split", "a/b")
    assert [p.name for p in sorted((tmp_path / "shards").iterdir())] == [
        "b-000000.tar", "b-000001.tar"
    ]  # fmt: skip
    assert keys(tmp_path / "shards") == ["chelsea", "astronaut", "coffee", "rocket"]


def test_keys_are_safe_and_unique(tmp_path):
    cat = Image.open(EXAMPLES / "images" / "chelsea.jpg")
    for name in ("a b.jpg", "a.b.jpg", "c/a_b.png", "猫.jpg"):
        save(tmp_path / "album" / name, cat)
    import_("photos", tmp_path / "album", tmp_path / "shards")
    assert keys(tmp_path / "shards") == ["a_b", "a_b_2", "a_b_3", "_"]


# Index


def test_index_counts_what_is_there(tmp_path):
    import_("coco", EXAMPLES, tmp_path / "shards", "--split", "test", "--max-side", 500)
    result = run("data", "index", tmp_path / "shards", "--json", tmp_path / "counts.json")
    assert result.exit_code == 0
    assert "photographs        4" in result.stdout
    assert "451 to 500, median 500 pixels" in result.stdout
    assert "left out           0" in result.stdout
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert (counts["images"], counts["objects"], counts["masks"]) == (4, 14, {"human": 14})
    assert (counts["splits"], counts["left_out"]) == ({"test": 4}, {})
    again = run("data", "index", tmp_path / "shards", "--json", "-")
    assert json.loads(again.stdout) == counts
    folder = run("data", "index", EXAMPLES, "--json", "-")
    assert json.loads(folder.stdout)["objects"] == 14


def test_index_counts_what_is_damaged(tmp_path, sa1b):
    tar = sa1b / "sa_000000.tar"
    tar.write_bytes(tar.read_bytes()[:-80_000])
    result = run("data", "index", sa1b, "--json", tmp_path / "counts.json")
    assert result.exit_code == 0
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["images"] == 3
    assert any(entry["file"] == "sa_3" for entry in counts["left_out_named"])
    assert sum(counts["left_out"].values()) == len(counts["left_out_named"])
    assert f"left out           {len(counts['left_out_named'])}" in result.stdout
    assert "left out: sa_3 in " in result.stderr


def test_index_refuses_what_is_no_source(tmp_path):
    assert_refused(run("data", "index", tmp_path), "instances.json")
    assert_refused(run("data", "index", tmp_path / "none.tar"), "none.tar")


# Export


def export(shards: object, out: Path) -> dict:
    result = run("data", "export", shards, "--out", out)
    assert result.exit_code == 0, result.output
    return json.loads((out / "instances.json").read_text())


def assert_round_trip(folder: Path, tmp_path: Path) -> None:
    """COCO to shards to COCO: the same runs, boxes within half a pixel, the same photographs."""
    result = run("data", "import", "coco", folder, "--out", tmp_path / folder.name / "shards")
    assert result.exit_code == 0, result.output
    exported = tmp_path / folder.name / "coco"
    export(tmp_path / folder.name / "shards", exported)
    photographs = zip(CocoFolder(exported), CocoFolder(folder), strict=True)
    for record, other in ((one.record, two.record) for one, two in photographs):
        assert record.image.image_id == other.image.image_id
        assert record.image.original_size == other.image.original_size
        of_export = exported / "images" / record.image.file_name
        assert of_export.read_bytes() == (folder / "images" / other.image.file_name).read_bytes()
        for one, two in zip(record.annotations, other.annotations, strict=True):
            assert (one.id, one.segmentation, one.iscrowd) == (
                two.id,
                two.segmentation,
                two.iscrowd,
            )
            assert np.abs(np.subtract(one.bbox, two.bbox)).max() < 0.5
            assert (one.category, one.area) == (two.category, two.area)


def test_coco_to_shards_to_coco_gives_the_same_masks_and_boxes(tmp_path):
    assert_round_trip(EXAMPLES, tmp_path)


@pytest.mark.data
def test_our_data_survives_the_round_trip(data, tmp_path, monkeypatch):
    # Decoding each photograph to check it takes most of an import's time.
    monkeypatch.setattr("picosam2.data.import_run.store_picture", lambda *args: args[:2])
    files = [path for path in sorted(data.glob("*/instances.json")) if path.stat().st_size < 4e5]
    folders = [path.parent for path in files]
    assert len(folders) > 5
    for folder in folders:
        assert_round_trip(folder, tmp_path)


def test_cocos_own_reader_reads_an_export(tmp_path, examples):
    import_("coco", EXAMPLES, tmp_path / "shards")
    export(tmp_path / "shards", tmp_path / "coco")
    coco = COCO(str(tmp_path / "coco" / "instances.json"))
    for photograph in examples:
        for annotation in photograph.objects:
            (found,) = coco.loadAnns(annotation.id)
            assert np.array_equal(coco.annToMask(found), photograph.mask(annotation))
            (category,) = coco.loadCats(found["category_id"])
            assert category["name"] == annotation.category


def test_a_teachers_masks_are_exported_with_how_sure_it_was(tmp_path, sa1b):
    coco = export(sa1b, tmp_path / "coco")
    for annotation in coco["annotations"]:
        assert annotation["source"] == "teacher"
        assert (annotation["predicted_iou"], annotation["stability_score"]) == (0.96, 0.97)
    assert coco["categories"] == [{"id": 1, "name": "object"}]
    photographs = import_("coco", tmp_path / "coco", tmp_path / "again")
    assert {a.source for p in photographs for a in p.objects} == {"teacher"}


def test_shards_of_several_sources_are_exported_under_ids_of_their_own(tmp_path, sa1b):
    """Two cats of the same ids and file name, with and without a class."""
    import_("coco", EXAMPLES, tmp_path / "shards")
    for tar in sa1b.glob("*.tar"):
        (tmp_path / "shards" / tar.name).write_bytes(tar.read_bytes())
    (tmp_path / "shards" / "z.tar").write_bytes(
        (tmp_path / "shards" / "coco-000000.tar").read_bytes()
    )
    coco = export(tmp_path / "shards", tmp_path / "coco")
    for kind, count in (("images", 12), ("annotations", 42), ("categories", 14)):
        assert len({one["id"] for one in coco[kind]}) == len(coco[kind]) == count
    assert len({image["file_name"] for image in coco["images"]}) == 12
    assert {a["image_id"] for a in coco["annotations"]} == {i["id"] for i in coco["images"]}
    assert len(list((tmp_path / "coco" / "images").iterdir())) == 12


def test_what_coco_cannot_hold_is_said(tmp_path, examples):
    photograph = examples.photographs[0]
    answer = TeacherMask(photograph.objects[0].segmentation, 0.9, 0.9)
    taught = msgspec.structs.replace(photograph.objects[0], teacher=[answer, answer])
    with writing_shard(str(tmp_path / "taught.tar")) as shard:
        record = Record(photograph.record.image, [taught])
        shard.add("chelsea", record, photograph.encoded.read())
    result = run("data", "export", tmp_path / "taught.tar", "--out", tmp_path / "coco")
    assert "left out: 2 teacher's answers" in result.stderr


def test_export_leaves_nothing_half_written(tmp_path, sa1b):
    for tar in sa1b.glob("*.tar"):
        tar.write_bytes(tar.read_bytes()[:9000])
    result = run("data", "export", sa1b, "--out", tmp_path / "coco")
    assert_refused(result, "no photograph of", str(sa1b))
    assert "left out: sa_1 in " in result.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("a file")
    assert_refused(run("data", "export", sa1b, "--out", tmp_path / "full"), "there already")
    assert {path.name for path in tmp_path.iterdir()} == {"sa1b", "full"}


def test_photographs_may_lie_beside_the_annotation_file(tmp_path):
    """As the page for the browser leaves a folder: the verbs read it as one with ``images/``."""
    beside = tmp_path / "photos"
    shutil.copytree(EXAMPLES / "images", beside)
    shutil.copy(EXAMPLES / "instances.json", beside)
    found = [CocoFolder(beside).photographs, import_("coco", beside, tmp_path / "shards")]
    for photographs in found:
        assert sorted(p.record.image.file_name for p in photographs) == sorted(FILES)

"""Many photographs and many prompts on the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from test_cli import assert_refused, run

from picosam2.automatic import AutomaticMaskGenerator
from picosam2.data.problems import Problems
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.segmenting.box_file import read_boxes
from picosam2.segmenting.photos import PhotoFile

PHOTOS = EXAMPLES / "images"
CAT = PHOTOS / "chelsea.jpg"
NAMES = ["astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"]
BOX, OTHER = "60,10,300,295", "20,10,200,200"


@pytest.fixture
def folder(tmp_path) -> Path:
    """The four example photographs, one of them in a folder below."""
    photos = tmp_path / "photos"
    (photos / "below").mkdir(parents=True)
    for name in NAMES:
        shutil.copy(PHOTOS / name, photos / ("below" if name == "rocket.jpg" else ".") / name)
    return photos


def records(*arguments: object) -> list[dict]:
    result = run("segment", *arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_each_box_is_an_object_with_the_mask_of_its_own_call():
    together = records(CAT, "--box", BOX, "--box", OTHER)
    alone = [records(CAT, "--box", box) for box in (BOX, OTHER)]
    assert together == alone
    assert len({record["area"] for record in together}) == 2


def test_a_folder_gives_one_json_with_each_photographs_own_masks(folder, predictor):
    found = records(folder, "--box", BOX, "--box", OTHER)
    names = ["astronaut.jpg", "below/rocket.jpg", "chelsea.jpg", "coffee.jpg"]
    assert [record["image"] for record in found] == [name for name in names for _ in range(2)]
    boxes = [[float(value) for value in box.split(",")] for box in (BOX, OTHER)]
    for record, box in zip(found, boxes * 4, strict=True):
        predictor.set_image(load_image(folder / record["image"]))
        (mask,), (score,), _ = predictor.predict(box=box, multimask_output=False)
        assert np.array_equal(coco_mask.decode(record["segmentation"]) > 0, mask)
        assert record["score"] == pytest.approx(float(score), abs=1e-6)


def test_results_of_a_folder_keep_its_shape_and_are_no_photographs_of_the_next_run(folder):
    for _ in range(2):
        result = run("segment", folder, "--point", "100,100", "--out", folder)
        assert result.exit_code == 0, result.output
    expected = {
        f"{photo}{end}"
        for photo in ("astronaut.jpg", "below/rocket.jpg", "chelsea.jpg", "coffee.jpg")
        for end in ("", ".mask.png", ".overlay.png")
    }
    assert files(folder) == expected


def test_patterns_and_several_photographs(folder):
    for given in ([folder / "c*.jpg"], [folder / "chelsea.jpg", folder / "coffee.jpg"]):
        found = records(*given, "--point", "100,100")
        assert [record["image"] for record in found] == ["chelsea.jpg", "coffee.jpg"]
    deep = records(folder / "**" / "*.jpg", "--point", "100,100")
    assert {record["image"] for record in deep} == {
        "astronaut.jpg", "below/rocket.jpg", "chelsea.jpg", "coffee.jpg",
    }  # fmt: skip
    twice = records(folder / "chelsea.jpg", folder / "chel*", "--point", "100,100")
    assert len(twice) == 1
    assert_refused(run("segment", folder / "*.tif", "--point", "1,1"), "no file matches")
    assert_refused(run("segment", CAT, "no.jpg", "--point", "1,1"), "no such file", "no.jpg")
    assert_refused(run("segment", CAT, folder / "chelsea.jpg", "--point", "1,1"), "same names")


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path):
    photo = tmp_path / "cat[1].jpg"
    shutil.copy(CAT, photo)
    assert records(photo, "--point", "230,160")["image"] == "cat[1].jpg"


def test_broken_photographs_are_left_out_named_and_counted(folder, tmp_path):
    (folder / "broken.jpg").write_bytes(CAT.read_bytes()[:9_000])
    (folder / "text.png").write_text("no photograph")
    call = ("segment", folder, "--point", "100,100", "--format", "rle", "--out", tmp_path / "out")
    result = run(*call)
    assert result.exit_code == 0, result.output
    assert "broken.jpg" in result.stderr
    assert "left out: 2 in all: 2 damaged photograph" in result.stderr
    assert len(json.loads((tmp_path / "out" / "masks.rle.json").read_text())) == 4
    shutil.rmtree(tmp_path / "out")
    assert_refused(run(*call, "--strict"), "broken.jpg", "--strict")
    assert not (tmp_path / "out").exists()
    for photo in folder.rglob("*.jpg"):
        photo.write_bytes(b"")
    assert_refused(run(*call), "no photograph could be segmented")


def test_a_prompt_outside_some_photographs_leaves_these_out(folder):
    result = run("segment", folder, "--point", "460,320", "--json", "-")
    found = [record["image"] for record in json.loads(result.stdout)]
    assert "chelsea.jpg" not in found
    assert found
    assert "chelsea.jpg in" in result.stderr
    assert "outside the image of 451×300" in result.stderr
    assert "1 unusable prompt" in result.stderr


def test_everything_is_what_the_generator_finds(cat, predictor, monkeypatch):
    generator = partial(AutomaticMaskGenerator, points_per_side=8)
    monkeypatch.setattr("picosam2.automatic.AutomaticMaskGenerator", generator)
    call = ("segment", CAT, "--everything", "--threads", "1", "--json", "-")
    result = run(*call)
    found = json.loads(result.stdout)
    expected = generator(predictor, output_mode="coco_rle").generate(cat)
    assert [f["segmentation"] for f in found] == [e["segmentation"] for e in expected]
    assert [f["bbox"] for f in found] == [e["bbox"] for e in expected]
    assert "crop" in result.stderr
    assert f"{len(found)} objects" in result.stderr


def test_a_file_of_lines(folder, tmp_path):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(
        f"file,x0,y0,x1,y1\nchelsea.jpg,{BOX}\nbelow/rocket.jpg,{OTHER}\n\n"
        f"chelsea.jpg,{OTHER}\nelsewhere.jpg,{BOX}\n"
    )
    result = run("segment", folder, "--boxes", boxes, "--json", "-")
    found = json.loads(result.stdout)
    assert [f["image"] for f in found] == ["below/rocket.jpg", "chelsea.jpg", "chelsea.jpg"]
    assert found[1:] == records(CAT, "--box", BOX, "--box", OTHER)
    assert "2 photographs have no box" in result.stderr


def test_coco_results_as_boxes_give_coco_results(folder, tmp_path):
    shutil.move(folder / "chelsea.jpg", folder / "000000000139.jpg")
    boxes = tmp_path / "boxes.json"
    results = [
        {"image_id": 139, "category_id": 17, "bbox": [60, 10, 240, 285], "score": 0.9},
        {"image_id": "coffee", "bbox": [20, 10, 180, 190]},
        {"file_name": "rocket.jpg", "image_id": 5, "category_id": 3, "bbox": [20, 10, 180, 190]},
    ]
    boxes.write_text(json.dumps(results))
    found = {r["image"]: r for r in records(folder, "--boxes", boxes)}
    assert found["000000000139.jpg"] | {"image": "chelsea.jpg"} == records(CAT, "--box", BOX) | {
        "image_id": 139,
        "category_id": 17,
    }
    assert found["below/rocket.jpg"]["image_id"] == 5
    assert "category_id" not in found["coffee.jpg"]
    result = run("segment", folder, "--boxes", boxes, "--format", "yolo-seg", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "000000000139.txt").read_text().startswith("17 ")
    assert (tmp_path / "coffee.txt").read_text().startswith("0 ")


def test_a_category_below_0_is_no_class_of_yolo(tmp_path):
    boxes = tmp_path / "boxes.json"
    boxes.write_text(
        json.dumps([{"file_name": "chelsea.jpg", "category_id": -1, "bbox": [1, 2, 90, 90]}])
    )
    options = ("--boxes", boxes, "--out", tmp_path / "out")
    assert_refused(run("segment", CAT, *options, "--format", "yolo-seg"), "the category -1", "0")
    assert not (tmp_path / "out").exists()
    assert run("segment", CAT, *options, "--format", "coco").exit_code == 0


def test_a_box_that_cannot_be_used_is_left_out(tmp_path):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"chelsea.jpg,{BOX}\nchelsea.jpg,500,10,600,90\nchelsea.jpg,nan,0,5,5\n")
    result = run("segment", CAT, "--boxes", boxes, "--json", "-")
    assert len(json.loads(result.stdout)) == 1
    assert "left out: 2 in all: 2 unusable prompt" in result.stderr
    assert_refused(run("segment", CAT, "--boxes", boxes, "--strict"), "chelsea.jpg", "outside")
    assert_refused(run("segment", CAT, "--box", BOX, "--box", "9,9,1,1"), "empty")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"file_name": "chelsea.jpg", "bbox": None}, "entry 1 is not a COCO result"),
        ({"file_name": "chelsea.jpg", "bbox": [1, 2, 3]}, "entry 1 is not a COCO result"),
        ({"file_name": "chelsea.jpg", "bbox": [1, 2, float("nan"), 4]}, "finite"),
        ({"bbox": [1, 2, 3, 4]}, "neither file_name nor image_id"),
        ({"image_id": 1.5, "bbox": [1, 2, 3, 4]}, "entry 1 is not a COCO result"),
        (7, "entry 1 is not a COCO result"),
    ],
)
def test_a_broken_entry_of_a_list_is_left_out(tmp_path, entry, reason):
    boxes = tmp_path / "boxes.json"
    whole = {"file_name": "chelsea.jpg", "bbox": [60, 10, 240, 285]}
    boxes.write_text(json.dumps([whole, entry]))
    result = run("segment", CAT, "--boxes", boxes, "--json", "-")
    assert len(json.loads(result.stdout)) == 1
    assert reason in result.stderr
    assert "left out: 1 in all: 1 unusable prompt" in result.stderr
    assert_refused(run("segment", CAT, "--boxes", boxes, "--strict"), reason)


@pytest.mark.parametrize(
    "named",
    [
        {"image_id": 139.0, "category_id": 3.0},
        {"file_name": "./below/139.jpg"},
        {"file_name": "below\\139.jpg"},
        "./below/139.jpg",
        "below\\139.jpg",
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_a_photograph_may_be_named_as_other_programs_write_it(tmp_path, named, mark):
    (tmp_path / "below").mkdir()
    photo = PhotoFile(tmp_path / "below" / "139.jpg", "below/139.jpg")
    entry = [named | {"bbox": [1, 2, 3, 4]}] if isinstance(named, dict) else None
    text = f"{named},1,2,4,6" if entry is None else json.dumps(entry)
    (tmp_path / "boxes").write_bytes(mark + text.encode())
    (given,) = read_boxes(tmp_path / "boxes", [photo], Problems(strict=True))[photo.name]
    assert given.corners == (1, 2, 4, 6)
    ids = (139, 3) if entry and "image_id" in entry[0] else (None, None)
    assert (given.image_id, given.category_id) == ids


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["no box of the given photographs"]),
        ("chelsea.jpg,1,2,3\n", ["line 1", "file,x0,y0,x1,y1"]),
        ("chelsea.jpg,1,2,3,4\nchelsea.jpg,a,b,c,d\n", ["line 2"]),
        ("dog.jpg,1,2,3,4\n", ["no box of the given photographs", "dog.jpg"]),
        ('{"annotations": []}', ["COCO results"]),
        ("[1]", ["no box that can be used"]),
        ('[{"image_id": 1, "bbox": [1, 2, 3]}]', ["no box that can be used"]),
        ('[{"bbox": [1, 2, 3, 4]}]', ["no box that can be used"]),
        ("chelsea.jpg,1,2,30,40,0.9\n", ["chelsea.jpg,1", "file,x0,y0,x1,y1 and no more"]),
        (
            "chelsea.jpg,1,2,30,40\nchelsea.jpg,1,2,30,40,0.9\n",
            ["chelsea.jpg,1 has a field too many"],
        ),
        ("[" * 100_000, ["COCO results"]),
        (b"\xff\xfe\x00", ["neither JSON nor text"]),
        (None, ["cannot read"]),
    ],
)
def test_files_without_boxes_are_refused(tmp_path, content, words):
    path = tmp_path / "boxes"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert_refused(run("segment", CAT, "--boxes", path), "boxes", *words)


def test_a_name_that_means_two_photographs_is_refused(folder, tmp_path):
    shutil.copy(CAT, folder / "below" / "chelsea.jpg")
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"below/chelsea.jpg,{BOX}\nchelsea.jpg,{BOX}\n")
    assert len(records(folder, "--boxes", boxes)) == 2
    (folder / "above").mkdir()
    shutil.move(folder / "chelsea.jpg", folder / "above" / "chelsea.jpg")
    assert_refused(run("segment", folder, "--boxes", boxes), "chelsea.jpg is", "give the path")


@pytest.mark.parametrize(
    "prompts",
    [
        ["--point", "1,1", "--everything"],
        ["--box", BOX, "--everything"],
        ["--boxes", "b.csv", "--box", BOX],
        [],
    ],
)
def test_prompts_are_of_one_kind(prompts):
    assert_refused(run("segment", CAT, *prompts), "one prompt", "--everything")


def test_wrong_options_are_refused(folder, tmp_path):
    assert_refused(run("segment", CAT, "--point", "1,1", "--format", "svg"), "svg", "yolo-seg")
    assert_refused(run("segment", CAT, "--point", "1,1", "--tolerance", "-1"), "--tolerance")
    assert_refused(run("segment", CAT, "--everything", "--format", "cutout"), "--everything")
    Image.open(CAT).save(folder / "chelsea.png")
    call = ("segment", folder, "--point", "100,100", "--out", tmp_path / "out", "--format")
    for name in ("yolo-seg", "labelme"):
        assert_refused(run(*call, name), "chelsea.jpg and chelsea.png would both")
    assert not (tmp_path / "out").exists()


def test_formats_of_a_folder(folder, tmp_path):
    out = tmp_path / "out"
    expected = {
        "rle": {"masks.rle.json"},
        "coco": {"masks.coco.json"},
        "yolo-seg": {"astronaut.txt", "below/rocket.txt", "chelsea.txt", "coffee.txt"},
        "labelme": {"astronaut.json", "below/rocket.json", "chelsea.json", "coffee.json"},
        "cutout": {
            f"{photo}.jpg.cutout.png"
            for photo in ("astronaut", "below/rocket", "chelsea", "coffee")
        },
    }
    for name, paths in expected.items():
        result = run("segment", folder, "--box", BOX, "--format", name, "--out", out / name)
        assert result.exit_code == 0, result.output
        assert files(out / name) == paths
    coco = COCO(out / "coco" / "masks.coco.json")
    exact = json.loads((out / "rle" / "masks.rle.json").read_text())
    for annotation, record in zip(coco.loadAnns(coco.getAnnIds()), exact, strict=True):
        assert coco.loadImgs(annotation["image_id"])[0]["file_name"] == record["image"]
        iou = coco_mask.iou([coco.annToRLE(annotation)], [record["segmentation"]], [0])
        assert iou.item() > 0.97
        alpha = np.asarray(Image.open(out / "cutout" / f"{record['image']}.cutout.png"))[..., 3]
        assert np.array_equal(alpha > 127, coco_mask.decode(record["segmentation"]))
    labelme = out / "labelme" / "below" / "rocket.json"
    path = json.loads(labelme.read_text())["imagePath"]
    assert (labelme.parent / path).resolve() == folder / "below" / "rocket.jpg"


def test_one_photograph_names_its_files(tmp_path):
    for name in ("rle", "coco"):
        call = ("--point", "230,160", "--format", name, "--out", tmp_path)
        assert run("segment", CAT, *call).exit_code == 0
    assert files(tmp_path) == {"chelsea.jpg.rle.json", "chelsea.jpg.coco.json"}
    assert json.loads((tmp_path / "chelsea.jpg.rle.json").read_text()) == records(
        CAT, "--point", "230,160"
    )
    run("segment", CAT, "--box", BOX, "--box", OTHER, "--out", tmp_path / "both")
    assert files(tmp_path / "both") == {
        "chelsea.jpg.mask.001.png",
        "chelsea.jpg.mask.002.png",
        "chelsea.jpg.overlay.png",
    }


def test_tolerance_is_about_the_number_of_points(tmp_path):
    points = []
    for tolerance in (0, 1, 5):
        call = ("--box", BOX, "--format", "yolo-seg", "--out", tmp_path)
        assert run("segment", CAT, *call, "--tolerance", tolerance).exit_code == 0
        points.append(len((tmp_path / "chelsea.txt").read_text().split()))
    assert points[0] > 3 * points[1] > 3 * points[2]


def test_many_prompts_and_formats_need_no_pytorch_and_pictures_no_shapely(tmp_path):
    code = f"""
import sys
sys.modules["torch"] = None
for name, prompt in (("cutout", "--box={BOX}"), ("png", "--box={BOX}"), ("coco", "--box={BOX}")):
    from picosam2.cli import main
    args = ["segment", {str(CAT)!r}, prompt, "--format", name, "--out", {str(tmp_path)!r}]
    main(args, standalone_mode=False)
    assert ("shapely" in sys.modules) == (name == "coco"), name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "shapely", None)
    for module in ("polygons", "coco", "yolo", "labelme"):
        monkeypatch.delitem(sys.modules, f"picosam2.formats.{module}", raising=False)
    result = run("segment", CAT, "--point", "230,160", "--format", "coco", "--out", tmp_path)
    assert_refused(result, "needs shapely", "[formats]")


def test_clicks_describe_one_object_and_are_obeyed(predictor):
    found = records(CAT, "--point", "230,160", "--point", "300,120", "--not", "20,20")
    predictor.set_image(load_image(CAT))
    (expected,) = predictor.predict_rle([[230, 160], [300, 120], [20, 20]], [1, 1, 0])
    assert found["segmentation"] == expected[0]
    mask = coco_mask.decode(found["segmentation"]).astype(bool)
    assert mask[160, 230]
    assert mask[120, 300]
    assert not mask[20, 20]
    boxed = records(CAT, "--box", BOX, "--point", "230,160", "--not", "100,200")
    mask = coco_mask.decode(boxed["segmentation"]).astype(bool)
    assert mask[160, 230]
    assert not mask[200, 100]


def test_a_mask_is_corrected_by_clicks(tmp_path):
    result = run("segment", CAT, "--box", BOX, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    given = tmp_path / "chelsea.jpg.mask.png"
    with Image.open(given) as picture:
        before = np.asarray(picture) > 127
    y, x = np.argwhere(before)[len(np.argwhere(before)) // 2]
    found = records(CAT, "--mask", given, "--not", f"{x},{y}")
    after = coco_mask.decode(found["segmentation"]).astype(bool)
    assert not after[y, x]
    # Nothing is added by a click that takes away.
    assert not (after & ~before).any()
    overlay = run("segment", CAT, "--mask", given, "--not", f"{x},{y}", "--out", tmp_path / "o")
    assert overlay.exit_code == 0, overlay.output
    assert files(tmp_path / "o") == {"chelsea.jpg.mask.png", "chelsea.jpg.overlay.png"}
    cutout = run(
        "segment", CAT, "--mask", given, "--not", f"{x},{y}", "--format", "cutout",
        "--out", tmp_path / "c",
    )  # fmt: skip
    assert cutout.exit_code == 0, cutout.output


def test_what_clicks_and_masks_refuse(tmp_path, folder):
    small = tmp_path / "small.png"
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(small)
    for arguments, message in (
        ((CAT, "--not", "1,1"), "--not alone"),
        ((CAT, "--point", "1,1", "--box", BOX, "--box", OTHER), "one --box with them"),
        ((CAT, "--point", "1,1", "--everything"), "give one prompt"),
        ((CAT, "--mask", tmp_path / "none.png"), "no such mask"),
        ((CAT, "--mask", small), "is 451×300, its mask"),
        ((folder, "--mask", small, "--point", "9,9"), "of one photograph"),
        ((CAT, "--point", "999,1"), "outside the image"),
    ):
        assert_refused(run("segment", *arguments), message)

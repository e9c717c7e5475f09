"""A broken object in a file of many is left out, named and counted; every verb agrees on which."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from test_cli import assert_refused, changed_examples, run

from picosam2.data.coco import CocoFolder
from picosam2.data.import_run import ImportOptions, import_photographs
from picosam2.data.keys import as_number
from picosam2.data.photograph import Photograph
from picosam2.data.problems import Problems
from picosam2.data.segmentation import parse_segmentation
from picosam2.data.shards import writing_shard
from picosam2.data.source import open_source
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES

CAT = [[170, 60, 290, 60, 290, 210, 170, 210]]
Change = Callable[[dict[str, Any]], None]


def lines(folder: Path) -> list[dict[str, Any]]:
    """What ``left-out.jsonl`` of a folder says."""
    return [json.loads(line) for line in (folder / "left-out.jsonl").read_text().splitlines()]


def left_out_of(result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("left out: ")]


def copy_examples(folder: Path, change: Change) -> Path:
    """The examples with files of their own, whose annotations may be changed."""
    (folder / "images").mkdir(parents=True)
    for photograph in (EXAMPLES / "images").iterdir():
        (folder / "images" / photograph.name).write_bytes(photograph.read_bytes())
    coco = json.loads((EXAMPLES / "instances.json").read_text())
    change(coco)
    (folder / "instances.json").write_text(json.dumps(coco))
    return folder


def training(data: Path, out: Path, *options: object):
    return run(
        "train", "--data", data, "--out", out, "--samples", 8, "--batch", 4, "--processes", 1,
        *options,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _only_reading(monkeypatch):
    """Verbs read all of their data; what costs minutes and reads none is left away."""
    monkeypatch.setattr("picosam2.training.run.launch", lambda *_: None)
    monkeypatch.setattr(
        "picosam2.evaluation.compare.measure_costs", lambda names, *_: {name: {} for name in names}
    )


# One coordinate, one part, one run: what may not reach pycocotools

BROKEN_SEGMENTATIONS = {
    "a coordinate that is no number": ([[float("nan"), 0, 9, 0, 9, 9]], "nan"),
    "an endless coordinate": ([[float("inf"), 0, 9, 0, 9, 9]], "inf"),
    "a coordinate beyond all photographs": ([[1e30, 0, 9, 0, 9, 9]], "1e+30"),
    "a coordinate that doubles cannot hold": ([[10**400, 0, 9, 0, 9, 9]], "too large"),
    "an outline that leads far away": ([[9e6, 0, 9, 0, 9, 9]], "outline"),
    "an outline that fills the photograph": ([[0, 0, 451, 300] * 2000], "outline"),
    "a part of two points": ([[170, 60, 290, 60], CAT[0]], "part 1 of its polygon has 4"),
    "a part of one point": ([[1, 2]], "has 2 coordinates"),
    "half a point": ([[*CAT[0], 1]], "has 9 coordinates"),
    "a part that is no list": (["abcdef"], "'abcdef', not a list"),
    "numbers without parts": (CAT[0], "170, not a list"),
    "text among the numbers": ([["1", 2, 3, 4, 5, 6]], "no numbers"),
    "truth among the numbers": ([[True, 2, 3, 4, 5, 6]], "no numbers"),
    "text": ("abc", "str is neither polygons nor runs"),
    "a number": (7, "int is neither polygons nor runs"),
    "runs without a size": ({"counts": "a"}, "size"),
    "runs of another size": ({"size": [30, 45], "counts": [1350]}, "[30, 45]"),
    "runs of a huge size": ({"size": [10**9, 10**9], "counts": [10**18]}, "1000000000"),
    "too few runs": ({"size": [300, 451], "counts": [5]}, "add up"),
    "runs below zero": ({"size": [300, 451], "counts": [-5, 135305]}, "-5, which is no"),
    "halves of runs": ({"size": [300, 451], "counts": [135299.5, 0.5]}, "135299.5, which"),
    "runs of text": ({"size": [300, 451], "counts": ["135300"]}, "which is no number of pixels"),
    "runs of NaN": ({"size": [300, 451], "counts": [float("nan")]}, "nan, which is no number"),
    "runs cut off": ({"size": [300, 451], "counts": "zzzz~~~"}, "cut off"),
    "no runs": ({"size": [300, 451], "counts": ""}, "cut off"),
    "runs that are none": ({"size": [300, 451], "counts": 9}, "not a list or text"),
}


@pytest.mark.parametrize(
    ("segmentation", "reason"), BROKEN_SEGMENTATIONS.values(), ids=BROKEN_SEGMENTATIONS
)
def test_a_broken_segmentation_costs_its_object_alone(tmp_path, segmentation, reason):
    with changed_examples(tmp_path) as coco:
        broken = coco["annotations"][0]
        broken["segmentation"] = segmentation
    problems = Problems()
    (found,) = [p for p in CocoFolder(tmp_path, problems=problems) if p.image_id == 1]
    whole = CocoFolder(EXAMPLES).photographs[0]
    assert [a for a in whole.objects if a.id != broken["id"]] == found.objects
    (entry,) = problems.entries
    assert (entry.file, entry.kind) == ("chelsea.jpg", "broken segmentation")
    assert entry.ids == {"image": 1, "annotation": broken["id"]}
    assert reason in entry.reason
    assert "\n" not in entry.reason


def test_runs_may_be_written_with_a_point():
    runs = {"size": [4, 5], "counts": [3.0, 4.0, 13]}
    assert parse_segmentation(runs, 4, 5) == parse_segmentation(runs | {"counts": [3, 4, 13]}, 4, 5)


def test_whole_polygons_are_rasterised_as_pycocotools_does_it():
    for photograph in CocoFolder(EXAMPLES):
        height, width = photograph.height, photograph.width
        # Within, partly outside and entirely outside of the photograph.
        for shift in (0, -width / 3, 1.5 * width, 1e6):
            polygon = [[v + shift if i % 2 == 0 else v for i, v in enumerate(CAT[0])]]
            rle = coco_mask.merge(coco_mask.frPyObjects(polygon, height, width))
            expected = coco_mask.decode(rle).astype(bool)
            found = parse_segmentation(polygon, height, width)
            assert found.counts.encode() == rle["counts"]
            mask = Photograph(photograph.record, photograph.encoded).mask(
                msgspec.structs.replace(photograph.objects[0], segmentation=found)
            )
            assert np.array_equal(mask, expected)


HOSTILE = {
    "instances.json": '{"images":[{"id":1,"file_name":"a.jpg","width":512,"height":512}],'
    '"annotations":[{"id":1,"image_id":1,"bbox":[0,0,9,9],"segmentation":[[NaN,0,9,0,9,9]]},'
    '{"id":2,"image_id":1,"bbox":[0,0,9,9],"segmentation":[[9e6,0,9,0,9,9e6]]},'
    '{"id":3,"image_id":1,"bbox":[0,0,9,9],"segmentation":[[1,1,9,1,9,9]]}]}',
}
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from picosam2.cli import main
main(sys.argv[1:])
"""


def test_no_coordinate_ends_the_process_or_its_memory(tmp_path):
    """The index in a process of its own, with a gigabyte."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (512, 512)).save(tmp_path / "images" / "a.jpg")
    (tmp_path / "instances.json").write_text(HOSTILE["instances.json"])
    command = [sys.executable, "-c", LIMITED, "data", "index", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "objects            1" in done.stdout
    assert "left out: 2 in all: 2 broken segmentation" in done.stderr


# Every other field of an annotation


def with_first(**changes: object) -> Change:
    return lambda coco: coco["annotations"][0].update(changes)


def without_first(name: str) -> Change:
    return lambda coco: coco["annotations"][0].pop(name) and None


def same_id_twice(coco):
    first, second = coco["annotations"][:2]
    assert first["image_id"] == second["image_id"]
    second["id"] = str(first["id"])


def no_object(coco):
    coco["annotations"].append("not an object")


BROKEN_OBJECTS = {
    "a box of three": (with_first(bbox=[1, 2, 3]), "broken annotation"),
    "a box of text": (with_first(bbox=["a", 1, 2, 3]), "broken annotation"),
    "a box that is no place": (with_first(bbox=[float("nan"), 1, 2, 3]), "broken box"),
    "a box far away": (with_first(bbox=[0, 0, 1e30, 3]), "broken box"),
    "a box of negative size": (with_first(bbox=[9, 9, -3, 3]), "broken box"),
    "no box": (without_first("bbox"), "broken annotation"),
    "no id": (without_first("id"), "broken annotation"),
    "an id that is a list": (with_first(id=[1]), "broken annotation"),
    "half an id": (with_first(id=1.5), "broken annotation"),
    "an id too large": (with_first(id=10**30), "broken annotation"),
    "a class that is a list": (with_first(category_id=[1]), "broken annotation"),
    "a score of text": (with_first(predicted_iou="high"), "broken annotation"),
    "an endless score": (with_first(stability_score=float("inf")), "broken annotation"),
    "a crowd of text": (with_first(iscrowd="no"), "broken annotation"),
    "a photograph that is not there": (with_first(image_id=99), "annotation without photograph"),
    "no photograph": (without_first("image_id"), "broken annotation"),
    "an id that comes twice": (same_id_twice, "duplicate id"),
    "an entry that is none": (no_object, "broken annotation"),
}


@pytest.mark.parametrize(("change", "kind"), BROKEN_OBJECTS.values(), ids=BROKEN_OBJECTS)
def test_a_broken_object_is_left_out_with_its_reason(tmp_path, change, kind):
    with changed_examples(tmp_path) as coco:
        objects = len(coco["annotations"])
        change(coco)
        objects += len(coco["annotations"]) - objects - 1
    problems = Problems()
    photographs = CocoFolder(tmp_path, problems=problems).photographs
    assert len(photographs) == 4
    assert sum(len(p.objects) for p in photographs) == objects
    (entry,) = problems.entries
    assert entry.kind == kind
    assert entry.reason
    with pytest.raises(InputError, match="--strict"):
        CocoFolder(tmp_path, problems=Problems(strict=True))


def test_a_category_without_a_name_is_left_out_and_no_object(tmp_path):
    with changed_examples(tmp_path) as coco:
        coco["categories"][0]["name"] = None
        number = coco["categories"][0]["id"]
    problems = Problems()
    photographs = CocoFolder(tmp_path, problems=problems).photographs
    (entry,) = problems.entries
    assert (entry.kind, entry.reason) == ("broken category", "it has no name")
    found = [a for p in photographs for a in p.objects if a.category_id == number]
    assert {annotation.category for annotation in found} == {None}


def test_what_is_no_object_can_be_repaired(tmp_path):
    """An area that is none, whole numbers written as fractions, and truth for a crowd."""
    with changed_examples(tmp_path) as coco:
        first, second, third = coco["annotations"][:3]
        first |= {"area": float("nan"), "id": float(first["id"]), "iscrowd": None}
        second |= {"area": "large", "iscrowd": False}
        third |= {"area": 10**400}
        coco["images"][0] |= {"width": 451.0, "height": 300.0}
    problems = Problems()
    found = CocoFolder(tmp_path, problems=problems).photographs[0]
    whole = CocoFolder(EXAMPLES).photographs[0]
    assert not problems.entries
    for one, other in zip(found.objects, whole.objects, strict=True):
        assert (one.id, one.segmentation, one.iscrowd) == (other.id, other.segmentation, 0)
    assert [a.area for a in found.objects[:3]] == [
        float(found.mask(a).sum()) for a in found.objects[:3]
    ]


# Photographs


def image(number: int, **changes: object) -> Change:
    return lambda coco: coco["images"][number].update(changes)


def twice(coco):
    coco["images"].append(coco["images"][0] | {"file_name": "rocket.jpg"})


BROKEN_PHOTOGRAPHS = {
    "no pixels": (image(0, width=-3), "broken image record", 3),
    "text for a width": (image(0, width="451"), "broken image record", 3),
    "half a pixel": (image(0, width=450.5), "broken image record", 3),
    "no number of pixels": (image(0, width=float("nan")), "broken image record", 3),
    "a size beyond all photographs": (
        image(0, width=999_999, height=999_999), "broken image record", 3,
    ),
    "no original size": (image(0, original_size=[0, 0]), "broken image record", 3),
    "half an original size": (image(0, original_size=[9]), "broken image record", 3),
    "no name": (image(0, file_name=None), "broken image record", 3),
    "a name that is empty": (image(0, file_name=""), "broken image record", 3),
    "the folder's own name": (image(0, file_name="."), "broken image record", 3),
    "the folder above": (image(0, file_name=".."), "broken image record", 3),
    "the folder above all": (image(0, file_name="/"), "broken image record", 3),
    "folders with backslashes": (image(0, file_name=".\\.."), "broken image record", 3),
    "a name that is a list": (image(0, file_name=["a.jpg"]), "broken image record", 3),
    "no id": (image(0, id=None), "broken image record", 3),
    "a name that is none": (image(0, file_name="x\0.jpg"), "missing photograph", 3),
    "a name too long": (image(0, file_name="x" * 9999), "missing photograph", 3),
    "half a character": (image(0, file_name="\ud800.jpg"), "missing photograph", 3),
    "a name of no file": (image(0, file_name="none.jpg"), "missing photograph", 3),
    "a device": (image(0, file_name="/dev/zero"), "missing photograph", 3),
    "another size": (image(0, width=452), "another size", 3),
    "an id that comes twice": (twice, "duplicate id", 4),
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind", "count"), BROKEN_PHOTOGRAPHS.values(), ids=BROKEN_PHOTOGRAPHS
)
def test_a_broken_photograph_is_left_out_with_its_objects(tmp_path, change, kind, count):
    with changed_examples(tmp_path) as coco:
        change(coco)
    problems = Problems()
    assert len(CocoFolder(tmp_path, problems=problems)) == count
    kinds = {entry.kind for entry in problems.entries}
    # Without an id, its objects have lost their photograph too.
    assert kinds - {"annotation without photograph"} == {kind}


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def gone(path: Path) -> None:
    path.unlink()


def resized(path: Path) -> None:
    Image.open(path).resize((100, 100)).save(path)


def text(path: Path) -> None:
    path.write_text("this is not a photograph")


def garbled(path: Path) -> None:
    """Only decoding shows it: the head and the end are whole, the Huffman tables are not."""
    content = bytearray(path.read_bytes())
    table = content.index(b"\xff\xc4")
    content[table + 5 : table + 21] = b"\xff" * 16
    path.write_bytes(content)


DAMAGE = {
    cut_off: "damaged photograph",
    gone: "missing photograph",
    resized: "another size",
    text: "damaged photograph",
}


@pytest.mark.parametrize(("damage", "kind"), DAMAGE.items())
def test_every_verb_leaves_out_the_same_photograph(tmp_path, damage, kind):
    """Index, import, eval and train on a folder; index and export of what was imported."""
    folder = copy_examples(tmp_path / "data", lambda coco: None)
    damage(folder / "images" / "coffee.jpg")
    index = run("data", "index", folder, "--json", tmp_path / "index.json")
    counts = json.loads((tmp_path / "index.json").read_text())
    assert (counts["images"], counts["left_out"]) == (3, {kind: 1})
    assert counts["left_out_named"][0]["file"] == "coffee.jpg"
    imported = run("data", "import", "coco", folder, "--out", tmp_path / "shards")
    measured = run(
        "eval", "--data", folder, "--protocol", "box", "--out", tmp_path / "eval",
    )  # fmt: skip
    trained = training(folder, tmp_path / "run", "--val", folder)
    (expected,) = [{**e} for e in counts["left_out_named"]]
    for result, out in (
        (imported, tmp_path / "shards"),
        (measured, tmp_path / "eval"),
        (trained, tmp_path / "run"),
    ):
        assert result.exit_code == 0, result.output
        assert left_out_of(result) == left_out_of(index)
        assert lines(out) == [expected]
    report = json.loads((tmp_path / "eval" / "run.json").read_text())
    assert report["data"]["left_out"] == {kind: 1}
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["starts"][0]["left_out"] == {kind: 1}
    assert len(open_source(tmp_path / "shards")) == 3


def test_every_verb_refuses_the_first_where_it_is_asked_to(tmp_path):
    folder = copy_examples(tmp_path / "data", with_first(segmentation=[[1, 2]]))
    shards = tmp_path / "shards"
    import_photographs("coco", str(EXAMPLES), str(shards), ImportOptions(), Problems())
    tar = shards / "coco-000000.tar"
    tar.write_bytes(tar.read_bytes()[:-200_000])
    for command in (
        ("data", "index", folder),
        ("data", "import", "coco", folder, "--out", tmp_path / "new"),
        ("data", "export", shards, "--out", tmp_path / "new"),
        ("eval", "--data", folder, "--protocol", "box"),
        ("train", "--data", folder, "--out", tmp_path / "new"),
        ("export", "onnx-int8", "--calibration", folder, "--out", tmp_path / "new"),
        ("export", "onnx", "--verify", folder, "--out", tmp_path / "new"),
    ):
        assert_refused(run(*command, "--strict"), "--strict")
        assert not (tmp_path / "new").exists(), command


def test_what_only_decoding_shows_is_left_out_too(tmp_path):
    folder = copy_examples(tmp_path / "data", lambda coco: None)
    garbled(folder / "images" / "coffee.jpg")
    with pytest.raises(InputError):
        CocoFolder(folder).photographs[2].load()
    assert not left_out_of(run("data", "index", folder))
    index = run("data", "index", folder, "--decode")
    results = [
        run("eval", "--data", folder, "--protocol", "box"),
        training(folder, tmp_path / "run"),
        run("data", "import", "coco", folder, "--out", tmp_path / "shards"),
    ]
    for result in (index, *results):
        assert result.exit_code == 0, result.output
        assert "coffee.jpg" in left_out_of(result)[0]
        assert left_out_of(result)[-1] == "left out: 1 in all: 1 damaged photograph"


def test_where_nothing_is_left_one_line_says_so(tmp_path):
    def all_broken(coco):
        for annotation in coco["annotations"]:
            annotation["segmentation"] = [[1, 2]]

    folder = copy_examples(tmp_path / "data", all_broken)
    for command in (
        ("data", "index", folder),
        ("data", "import", "coco", folder, "--out", tmp_path / "new"),
        ("eval", "--data", folder, "--protocol", "box"),
        ("train", "--data", folder, "--out", tmp_path / "new"),
        ("export", "onnx-int8", "--calibration", folder, "--out", tmp_path / "new"),
    ):
        result = run(*command)
        assert_refused(result)
        assert len(left_out_of(result)) == 10 + 1
        assert "left out: 14 in all: 14 broken segmentation" in result.stderr
        assert not (tmp_path / "new").exists(), command


def test_ten_are_named_and_all_are_written(tmp_path):
    def most_broken(coco):
        for annotation in coco["annotations"][:12]:
            annotation["bbox"] = None

    folder = copy_examples(tmp_path / "data", most_broken)
    result = run("data", "import", "coco", folder, "--out", tmp_path / "shards")
    assert result.exit_code == 0
    assert len(left_out_of(result)) == 10 + 1
    found = lines(tmp_path / "shards")
    assert len(found) == 12
    for line in found:
        assert line.keys() == {"source", "file", "ids", "kind", "reason"}


# Ids


def test_ids_that_are_text_stand_for_numbers():
    assert as_number(1) == as_number("1") == as_number(1.0) == as_number(" 1 ") == 1
    assert all(as_number(str(n)) == as_number(n) == n for n in (2**63 - 1, -(2**63), 10**18))
    assert 0 < as_number(str(2**63)) < 2**53
    number = as_number("0b3f7a1e-8d1c-4c0e-9a55-6f1f4f3a2b10")
    assert number == as_number("0b3f7a1e-8d1c-4c0e-9a55-6f1f4f3a2b10")
    assert number != as_number("0b3f7a1e-8d1c-4c0e-9a55-6f1f4f3a2b11")
    assert 0 < number < 2**53


def as_uuids(coco):
    for image in coco["images"]:
        image["id"] = f"photograph-{image['id']}"
    for annotation in coco["annotations"]:
        annotation["id"] = f"object-{annotation['id']}"
        annotation["image_id"] = f"photograph-{annotation['image_id']}"
        annotation["category_id"] = f"class-{annotation['category_id']}"
    for category in coco["categories"]:
        category["id"] = f"class-{category['id']}"


def as_text_in_objects(coco):
    for annotation in coco["annotations"]:
        annotation["image_id"] = str(annotation["image_id"])


@pytest.mark.parametrize("change", [as_uuids, as_text_in_objects])
def test_every_verb_takes_ids_that_are_text(tmp_path, change, examples):
    folder = copy_examples(tmp_path / "data", change)
    import_photographs(
        "coco", str(folder), str(tmp_path / "shards"), ImportOptions(), Problems(strict=True)
    )
    for source in (folder, tmp_path / "shards"):
        for photograph, known in zip(open_source(source), examples, strict=True):
            assert [(a.segmentation, a.category) for a in photograph.objects] == [
                (a.segmentation, a.category) for a in known.objects
            ]
    measured = run("eval", "--data", folder, "--protocol", "box", "--strict", "--json", "-")
    assert json.loads(measured.stdout)["protocols"]["box"]["n"] == 14
    assert training(folder, tmp_path / "run", "--strict").exit_code == 0


# Kinds of annotation, and where photographs lie


def only_boxes(coco):
    for annotation in coco["annotations"]:
        del annotation["segmentation"]


def only_crowds(coco):
    for annotation in coco["annotations"]:
        annotation["iscrowd"] = 1


@pytest.mark.parametrize("change", [only_boxes, only_crowds])
def test_boxes_and_crowds_are_counted_and_no_object_to_measure(tmp_path, change):
    folder = copy_examples(tmp_path / "data", change)
    index = run("data", "index", folder, "--strict")
    assert index.exit_code == 0
    assert "objects            14" in index.stdout
    import_photographs(
        "coco", str(folder), str(tmp_path / "shards"), ImportOptions(), Problems(strict=True)
    )
    for source in (folder, tmp_path / "shards"):
        assert sum(len(p.record.annotations) for p in open_source(source)) == 14
        assert_refused(run("eval", "--data", source, "--protocol", "box"), "no object")
        assert_refused(training(source, tmp_path / "run"), "no object")


@pytest.mark.parametrize("name", ["pets/{}", "pets\\{}", "./pets/{}", "images/pets/{}"])
def test_photographs_lie_in_folders_below(tmp_path, name):
    def move(coco):
        (tmp_path / "data" / "images" / "pets").mkdir()
        for entry in coco["images"]:
            old = tmp_path / "data" / "images" / entry["file_name"]
            old.rename(old.parent / "pets" / old.name)
            entry["file_name"] = name.format(old.name)

    folder = copy_examples(tmp_path / "data", move)
    shards = tmp_path / "shards"
    import_photographs("coco", str(folder), str(shards), ImportOptions(), Problems(strict=True))
    for source in (folder, shards):
        assert len(open_source(source, problems=Problems(strict=True))) == 4
    eval_ = run(
        "eval", "--coco", folder / "instances.json", "--images", folder / "images",
        "--protocol", "box", "--strict",
    )  # fmt: skip
    assert eval_.exit_code == 0, eval_.output


def test_a_photograph_of_the_same_name_elsewhere_is_not_taken(tmp_path):
    folder = copy_examples(tmp_path / "data", image(0, file_name="pets/chelsea.jpg"))
    problems = Problems()
    assert len(CocoFolder(folder, problems=problems)) == 3
    assert problems.counts == {"missing photograph": 1}


# Shards


def broken_shard(tmp_path, examples, change: Callable[[dict[str, Any]], None]) -> Path:
    """The examples as a shard, the first object of the first photograph changed."""
    shard = tmp_path / "broken.tar"
    with writing_shard(str(shard)) as writer:
        for photograph in examples:
            record = json.loads(msgspec.json.encode(photograph.record))
            if photograph.image_id == 1:
                change(record["annotations"][0])
            key = Path(photograph.record.image.file_name).stem
            writer._add(f"{key}.jpg", photograph.encoded.read())
            writer._add(f"{key}.json", json.dumps(record).encode())
    return shard


SHARD_OBJECTS = {
    "a box that is no place": ({"bbox": [float("nan"), 1, 2, 3]}, "broken box"),
    "a box of text": ({"bbox": "box"}, "broken annotation"),
    "a mask of another size": (
        {"segmentation": {"size": [3, 4], "counts": "<0"}}, "broken segmentation",
    ),
    "runs that do not add up": (
        {"segmentation": {"size": [300, 451], "counts": "0"}}, "broken segmentation",
    ),
    "an id beyond 64 bits": ({"id": 10**30}, "broken annotation"),
    "a soft target before the first": (
        {"source": "teacher", "soft": {"tile": -1, "square": [0, 0, 9]}}, "broken teacher's label",
    ),
    "a soft target of no place": (
        {"source": "teacher", "soft": {"tile": 0, "square": [0, 0, 1e300]}},
        "broken teacher's label",
    ),
    "a soft target without an answer": (
        {"soft": {"tile": 0, "square": [0, 0, 9]}}, "broken teacher's label",
    ),
    "clicks far away": ({"point_coords": [[1e300, 0]]}, "broken annotation"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "kind"), SHARD_OBJECTS.values(), ids=SHARD_OBJECTS)
def test_a_broken_object_of_a_shard_costs_itself_alone(tmp_path, examples, changes, kind):
    shard = broken_shard(tmp_path, examples, lambda entry: entry.update(changes))
    problems = Problems()
    source = open_source(shard, problems=problems)
    assert len(source) == 4
    assert sum(len(p.objects) for p in source) == 13
    (entry,) = problems.entries
    assert (entry.kind, entry.file, entry.ids["image"]) == (kind, "chelsea", 1)


def test_a_soft_target_that_is_not_there_costs_its_object(tmp_path, examples):
    lost = {"source": "teacher", "soft": {"tile": 7, "square": [0, 0, 9]}}
    shard = broken_shard(tmp_path, examples, lambda entry: entry.update(lost))
    result = training(shard, tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert lines(tmp_path / "run")[0]["reason"].startswith("its soft target is not among")


def test_labels_keep_what_was_left_out_of_each_shard(tmp_path, examples, random_sam2):
    """Labelling goes on after a stop: the file has what the first run left out too."""
    broken_shard(tmp_path, examples, lambda entry: entry.update(bbox=None))
    out = tmp_path / "labels"
    command = ("label", tmp_path, "--teacher", random_sam2, "--out", out)
    assert_refused(run(*command, "--strict"), "--strict")
    assert not list(out.glob("*.tar"))
    first = run(*command)
    assert first.exit_code == 0, first.output
    assert "1 broken annotation" in first.stderr
    once = lines(out)
    assert [entry["ids"]["image"] for entry in once] == [1]
    again = run(*command)
    assert again.exit_code == 0
    assert not left_out_of(again)
    assert lines(out) == once

"""COCO and LVIS as the public has them: annotation files, what is left out, published splits."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from picosam2.cli import main
from picosam2.data.annotation_file import AnnotationFile
from picosam2.data.coco import CocoFolder
from picosam2.data.split import SPLITS, read_split, rebuild_split
from picosam2.errors import InputError
from picosam2.evaluation.run import choose_objects, evaluate
from picosam2.examples import EXAMPLES
from picosam2.record import data_record
from picosam2.training.world import World
from picosam2.weights import FAMILIES, WEIGHTS, read_manifest, trained_on

ANNOTATIONS, IMAGES = EXAMPLES / "instances.json", EXAMPLES / "images"


def command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def content() -> dict:
    return json.loads(ANNOTATIONS.read_text())


def as_lvis(coco: dict) -> dict:
    """LVIS has no file names but addresses that end in COCO's folder and name."""
    for image in coco["images"]:
        image["coco_url"] = f"http://images/val2017/{image.pop('file_name')}"
    return coco


def test_an_annotation_file_measures_as_the_folder(predictor, examples):
    folder = evaluate(examples, ["click"], predictor)
    public = evaluate(AnnotationFile(ANNOTATIONS, IMAGES), ["click"], predictor)
    assert public["protocols"] == folder["protocols"]


def test_the_first_objects_are_those_of_the_file_without_crowds(tmp_path):
    coco = content()
    coco["annotations"] = coco["annotations"][::-1]
    coco["annotations"][1]["iscrowd"] = 1
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(coco))
    expected = {a["id"] for a in [coco["annotations"][0], *coco["annotations"][2:5]]}
    source = AnnotationFile(path, IMAGES, first=4)
    assert {a.id for p in source for a in p.objects} == expected
    assert source.selection == {"first": 4, "left_out_objects": 0, "left_out_photographs": 0}


def test_photographs_that_were_trained_on_are_left_out_and_counted():
    coco = content()
    image_id = coco["images"][0]["id"]
    own = [a for a in coco["annotations"] if a["image_id"] == image_id]
    source = AnnotationFile(ANNOTATIONS, IMAGES, without={image_id, 424242})
    assert source.selection["left_out_objects"] == len(own)
    assert source.selection["left_out_photographs"] == 1
    assert image_id not in {p.image_id for p in source}
    assert len(source) == len(coco["images"]) - 1


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("names", ["COCO", "LVIS"])
def test_photographs_are_found_in_cocos_folders(tmp_path, inside, names):
    path = tmp_path / "annotations.json"
    coco = as_lvis(content())
    if names == "COCO":
        for image in coco["images"]:
            image["file_name"] = image["coco_url"].rpartition("/")[2]
    path.write_text(json.dumps(coco))
    images = IMAGES
    if inside:
        images = tmp_path / "coco"
        shutil.copytree(IMAGES, images / "val2017")
    source = AnnotationFile(path, images)
    assert [p.load().shape[:2] for p in source] == [(p.height, p.width) for p in source]


@pytest.mark.parametrize("option", ["--coco", "--lvis"])
def test_eval_takes_the_public_files(tmp_path, option):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content() if option == "--coco" else as_lvis(content())))
    result = command(
        "eval", option, path, "--images", IMAGES, "--first", 3, "--protocol", "click",
        "--json", tmp_path / "out.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "left out: 0 objects of 0 photographs" in result.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["protocols"]["click"]["n"] == 3


def test_another_choice_of_objects_is_not_mixed_with_kept_answers(tmp_path):
    def run(first: int):
        return command(
            "eval", "--coco", ANNOTATIONS, "--images", IMAGES, "--first", first, "--protocol",
            "click", "--out", tmp_path / "run",
        )  # fmt: skip

    assert run(4).exit_code == 0
    content = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (content["data"]["first"], content["data"]["left_out_objects"]) == (4, 0)
    result = run(3)
    assert result.exit_code == 2
    assert "use another --out" in result.stderr


def test_broken_annotation_files_are_refused(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text('{"annotations": []}')
    with pytest.raises(InputError, match="is not in COCO format"):
        AnnotationFile(path, IMAGES)


# What weights were trained on.


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shipped_weights_name_their_photographs(family):
    ids, complete = trained_on(family)
    assert complete
    assert ids == trained_on(f"{family}-fp32")[0]
    # coco-train and coco-boxes, whose photographs are COCO's; not cats and balloons.
    assert len(ids) == 1634 + 1250
    assert not ids & set(read_split("coco-val")["image_ids"])
    assert not ids & set(read_split("lvis-val")["image_ids"])


def test_a_runs_weights_name_theirs(tmp_path):
    weights = tmp_path / "weights.safetensors"
    assert trained_on(weights) == (frozenset(), False)
    data = [
        {"folder": "shards", "coco_ids": True, "image_ids": [3, 5]},
        {"folder": "cats", "coco_ids": False, "image_ids": [1]},
    ]
    digest = read_manifest("paper")["files"][WEIGHTS]["sha256"]
    for began_with, expected in (
        (None, ({3, 5}, True)),
        ("0" * 64, ({3, 5}, False)),
        (digest, ({3, 5} | trained_on("paper")[0], True)),
    ):
        (tmp_path / "run.json").write_text(json.dumps({"data": data, "init_sha256": began_with}))
        assert trained_on(weights) == expected
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputError, match="not the record"):
        trained_on(weights)


def test_a_run_notes_whether_its_ids_are_cocos(tmp_path, examples):
    coco = content()
    for image in coco["images"]:
        link = tmp_path / "images" / f"{image['id']:012d}.jpg"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(IMAGES / image["file_name"])
        image["file_name"] = link.name
    (tmp_path / "instances.json").write_text(json.dumps(coco))
    folders = [CocoFolder(tmp_path), examples]
    assert [d["coco_ids"] for d in data_record(folders, [1.0, 1.0], World().gather)] == [
        True,
        False,
    ]


# The splits that figures are quoted on.


def test_both_splits_are_published():
    assert SPLITS == ("coco-val", "lvis-val")
    for name, count in (("coco-val", 150), ("lvis-val", 30)):
        assert len(set(read_split(name)["image_ids"])) == count


def pretend_archive(data, name: str, folder):
    """A public archive: the split's photographs and others, in another order."""
    own = json.loads((data / name / "instances.json").read_text())
    other = json.loads((data / "coco-dev" / "instances.json").read_text())
    archive = {
        "images": [dict(i) for i in other["images"][:5] + own["images"][::-1]],
        "annotations": other["annotations"][:20] + own["annotations"],
        "categories": own["categories"],
    }
    if name == "lvis-val":
        archive = as_lvis(archive)
    (folder / "annotations.json").write_text(json.dumps(archive))
    (folder / "coco").mkdir()
    (folder / "coco" / "val2017").symlink_to(data / name / "images")
    images = folder / "coco" if name == "lvis-val" else folder / "coco" / "val2017"
    return folder / "annotations.json", images


@pytest.mark.data
def test_what_the_weights_have_seen_is_left_out_of_coco(data):
    seen = data / "coco-train"
    result = command(
        "eval", "--coco", seen / "instances.json", "--images", seen / "images", "--first", 50
    )
    assert result.exit_code == 2
    assert "left out: 50 objects of" in result.stderr
    assert "no object with a mask" in result.stderr


@pytest.mark.data
@pytest.mark.parametrize("name", ["coco-val", "lvis-val"])
def test_a_split_is_rebuilt_from_the_public_archive(data, name, tmp_path):
    annotations, images = pretend_archive(data, name, tmp_path)
    result = command(
        "data", "split", name, "--annotations", annotations, "--images", images,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    rebuilt, original = CocoFolder(tmp_path / "out"), CocoFolder(data / name)
    pairs = zip(choose_objects(rebuilt, None, 0), choose_objects(original, None, 0), strict=True)
    for (ours, group), (theirs, other) in pairs:
        assert [a.segmentation for a in group] == [a.segmentation for a in other]
        assert [a.id for a in group] == [a.id for a in other]
        assert ours.encoded.read() == theirs.encoded.read()


def test_another_archive_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"lacks 150 photographs of coco-val: give instances_val"):
        rebuild_split("coco-val", ANNOTATIONS, IMAGES, tmp_path / "out")
    with pytest.raises(InputError, match="unknown split"):
        rebuild_split("coco-test", ANNOTATIONS, IMAGES, tmp_path / "out")
    assert not (tmp_path / "out").exists()

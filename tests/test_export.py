"""Exported models answer as the network does, and their sidecars tell the whole story."""

from __future__ import annotations

import base64
import hashlib
import json

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from picosam2.cli import main
from picosam2.evaluation.run import choose_objects
from picosam2.examples import EXAMPLES
from picosam2.prompt import box_crop, cut
from picosam2.runtime.onnx import OnnxRuntime
from picosam2.runtime.torch import TorchRuntime
from picosam2.weights import MODELS, model_path


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Both targets, exported from the shipped weights."""
    folder = tmp_path_factory.mktemp("export")
    for target in ("onnx", "onnx-int8"):
        arguments = ["export", target, "--weights", model_path("safetensors")]
        arguments += ["--out", folder / f"{target}.onnx", "--calibration", EXAMPLES]
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def crops(examples):
    """Box crops of the example objects, 14×96×96×3 uint8."""
    return np.stack(
        [
            cut(photograph.load(), box_crop([x, y, x + w, y + h]))
            for photograph, group in choose_objects(examples, None, 0)
            for x, y, w, h in (annotation.bbox for annotation in group)
        ]
    )


def test_onnx_answers_as_pytorch(exported, crops):
    logits, iou = TorchRuntime.from_file(model_path("safetensors"))(crops)
    onnx_logits, onnx_iou = OnnxRuntime(exported / "onnx.onnx")(crops)
    assert np.abs(logits - onnx_logits).max() < 1e-2
    assert np.abs(iou - onnx_iou).max() < 1e-3


def test_int8_masks_are_close_to_fp32s(exported, crops):
    fp32 = OnnxRuntime(exported / "onnx.onnx")(crops)[0] > 0
    int8 = OnnxRuntime(exported / "onnx-int8.onnx")(crops)[0] > 0
    agreement = (fp32 & int8).sum((1, 2)) / (fp32 | int8).sum((1, 2)).clip(1)
    assert agreement.mean() > 0.85


def test_a_batch_answers_as_its_crops_one_by_one(exported, crops):
    runtime = OnnxRuntime(exported / "onnx-int8.onnx")
    together = runtime(crops[:4])[0]
    alone = np.concatenate([runtime(crop[None])[0] for crop in crops[:4]])
    assert np.allclose(together, alone, atol=1e-5)


def test_int8_is_about_a_megabyte(exported):
    assert (exported / "onnx-int8.onnx").stat().st_size < 1.5e6


def test_only_standard_operators_are_used(exported):
    for target in ("onnx", "onnx-int8"):
        model = onnx.load(exported / f"{target}.onnx")
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}


@pytest.mark.parametrize("target", ["onnx", "onnx-int8"])
def test_the_sidecar_describes_the_model(exported, target):
    path = exported / f"{target}.onnx"
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    weights = model_path("safetensors").read_bytes()
    assert sidecar["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert sidecar["outputs"][0]["threshold"] == 0.0
    if target == "onnx-int8":
        assert set(sidecar["quantisation"]["scales"]) == {"image", "logits", "iou_logits"}
        assert sidecar["quantisation"]["scales"]["image"] == {"scale": 1.0, "zero_point": 0}
    golden = sidecar["golden"]
    crop = np.frombuffer(base64.b64decode(golden["input"]["data"]), np.uint8)
    logits = np.frombuffer(base64.b64decode(golden["logits"]["data"]), "<f4").reshape(96, 96)
    answer, iou = OnnxRuntime(path)(crop.reshape(1, 96, 96, 3))
    assert np.allclose(answer[0], logits, atol=1e-3)
    assert iou[0] == pytest.approx(golden["predicted_iou"], abs=1e-4)


def test_int8_needs_photographs_to_calibrate_on(tmp_path):
    arguments = ["export", "onnx-int8", "--weights", str(model_path("safetensors"))]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "m.onnx")])
    assert result.exit_code == 2
    assert "--calibration" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_manifest_names_the_shipped_files():
    """Digests, the run's record and the training photographs' ids are those of the weights."""
    folder = model_path("safetensors").parent
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == set(MODELS.values())
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
    for run in (manifest["run"], *manifest.get("earlier_runs", [])):
        assert isinstance(run["config"]["seed"], int)
        assert all(part["image_ids"] for part in run["data"])
    for split in ("coco-val", "lvis-val", "coco-dev"):
        figures = manifest["metrics"][split]["int8"]
        assert figures["weights_sha256"] == manifest["files"][MODELS["int8"]]["sha256"]
        assert {"crop96", "paper96", "click", "box"} <= set(figures["protocols"])

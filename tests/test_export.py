"""Exported models answer as the network does, and their sidecars tell the whole story."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import json
import math
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from picosam2 import Predictor
from picosam2.checkpoint import save_weights
from picosam2.cli import main
from picosam2.errors import InputError
from picosam2.evaluation.run import choose_objects
from picosam2.examples import EXAMPLES
from picosam2.export import environment
from picosam2.export.artefact import Samples
from picosam2.export.costs import network_costs
from picosam2.export.environment import run_tool
from picosam2.export.onnx import write_onnx
from picosam2.export.onnx_int8 import quantise, upsample_by_gather
from picosam2.export.run import export_model
from picosam2.export.sidecar import golden_samples
from picosam2.graph_memory import peak_memory
from picosam2.masks import mask_iou
from picosam2.model import SmallConfig, build
from picosam2.predictor.scores import OWN_SCORES
from picosam2.prompt import box_crop, cut
from picosam2.runtime import session
from picosam2.runtime.engines import open_corrector, open_runtime
from picosam2.runtime.files import channels_first
from picosam2.runtime.onnx import OnnxRuntime
from picosam2.runtime.torch import TorchRuntime
from picosam2.weights import (
    BUNDLED,
    CORRECTING_MODEL,
    DEFAULT_MODEL,
    FAMILIES,
    FOLDER,
    INT8,
    model_path,
    read_manifest,
    weights_path,
)

MODEL_FILES = {"onnx": "picosam2-fp32.onnx", "onnx-int8": "picosam2-int8.onnx"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Both targets, exported from the shipped weights."""
    folder = tmp_path_factory.mktemp("export")
    for target in MODEL_FILES:
        result = CliRunner().invoke(main, ["export", target, "--out", str(folder / target)])
        assert result.exit_code == 0, result.output
    return {target: folder / target / name for target, name in MODEL_FILES.items()}


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
    logits, iou = TorchRuntime.from_file(weights_path(DEFAULT_MODEL))(crops)
    onnx_logits, onnx_iou = OnnxRuntime(exported["onnx"])(crops)
    assert np.abs(logits - onnx_logits).max() < 1e-2
    assert np.abs(iou - onnx_iou).max() < 1e-3


def test_quantisation_has_nothing_to_warn_of(crops, tmp_path, capfd, caplog):
    fp32, int8 = tmp_path / "fp32.onnx", tmp_path / "int8.onnx"
    write_onnx(weights_path(DEFAULT_MODEL), fp32)
    onnx.save(upsample_by_gather(onnx.load(fp32)), fp32)
    capfd.readouterr()
    quantise(fp32, int8, Samples(crops[:2]))
    assert capfd.readouterr().err == ""
    assert not caplog.records


def test_int8_masks_are_close_to_fp32s(exported, crops):
    fp32 = OnnxRuntime(exported["onnx"])(crops)[0] > 0
    int8 = OnnxRuntime(exported["onnx-int8"])(crops)[0] > 0
    agreement = (fp32 & int8).sum((1, 2)) / (fp32 | int8).sum((1, 2)).clip(1)
    assert agreement.mean() > 0.85


@pytest.mark.parametrize("weights", ["small", "paper"])
def test_int8_is_exact_on_every_processor(weights, crops):
    """Where x86 has no VNNI, ONNX Runtime's sums overflow, if it is not told otherwise."""
    options = onnxruntime.SessionOptions()
    # As the file says it: numbers of 8 bits, multiplied in float.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    plain = onnxruntime.InferenceSession(model_path(weights), options)
    said = plain.run(None, {"image": channels_first(crops)})[0][:, 0]
    logits, _ = OnnxRuntime(model_path(weights))(crops)
    overlaps = [mask_iou(a > 0, b > 0) for a, b in zip(logits, said, strict=True)]
    assert np.mean(overlaps) > 0.95


def test_the_model_that_asks_whether_sums_are_exact_is_one_product():
    text = """<ir_version: 8, opset_import: ["": 13]>
        p (uint8[m, k] a, int8[k, n] b) => (int32[m, n] c) { c = MatMulInteger(a, b) }"""
    assert onnx.parser.parse_model(text).SerializeToString() == session.PRODUCT


def test_sums_that_overflow_are_made_exact(monkeypatch, crops):
    """The slow setting, taken only where products of 8 bits overflow, gives the same masks."""
    logits, _ = OnnxRuntime(model_path(DEFAULT_MODEL))(crops[:4])
    if not session.sums_of_bytes_are_exact():
        pytest.skip("this processor has no VNNI: both sessions have the setting")
    monkeypatch.setattr(session, "sums_of_bytes_are_exact", lambda: False)
    slow, _ = OnnxRuntime(model_path(DEFAULT_MODEL))(crops[:4])
    overlaps = [mask_iou(a > 0, b > 0) for a, b in zip(logits, slow, strict=True)]
    assert np.mean(overlaps) > 0.99


def test_a_model_that_fails_as_it_runs_is_one_line(tmp_path):
    """Found by fuzzing: a number in the file that is wrong for no tensor before it is used."""
    names = {"image": [3, 96, 96], "logits": [1, 96, 96], "iou_logits": [1, 1, 1]}
    image, *outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        for name, shape in names.items()
    ]
    nodes = [
        helper.make_node("Gather", ["image", "which"], ["logits"], axis=1),
        helper.make_node("ReduceMean", ["logits"], ["iou_logits"], axes=[1, 2, 3]),
    ]
    which = numpy_helper.from_array(np.array([10**12]), "which")
    graph = helper.make_graph(nodes, "damaged", [image], outputs, [which])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "m.onnx")
    runtime = OnnxRuntime(tmp_path / "m.onnx", threads=1)
    with pytest.raises(InputError, match="opens but does not run") as caught:
        runtime(np.zeros((1, 96, 96, 3), np.uint8))
    assert "\n" not in str(caught.value)


def test_a_batch_answers_as_its_crops_one_by_one(exported, crops):
    runtime = OnnxRuntime(exported["onnx-int8"])
    together = runtime(crops[:4])[0]
    alone = np.concatenate([runtime(crop[None])[0] for crop in crops[:4]])
    assert np.allclose(together, alone, atol=1e-5)


def test_int8_is_about_a_megabyte(exported):
    assert (exported["onnx-int8"]).stat().st_size < 1.5e6


def test_only_standard_operators_are_used(exported):
    for target in ("onnx", "onnx-int8"):
        model = onnx.load(exported[target])
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}


@pytest.mark.parametrize("target", ["onnx", "onnx-int8"])
def test_the_sidecar_describes_the_model(exported, target):
    path = exported[target]
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    weights = weights_path(DEFAULT_MODEL).read_bytes()
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


def test_without_photographs_of_his_own_the_bundled_ones_calibrate(exported):
    sidecar = json.loads(exported["onnx-int8"].with_suffix(".json").read_text())
    assert sidecar["calibration"]["bundled_photographs"]
    assert sidecar["calibration"]["crops"] == 300
    assert "calibration" not in json.loads(exported["onnx"].with_suffix(".json").read_text())


def test_every_export_is_run_beside_fp32(exported):
    for target, least in (("onnx", 0.999), ("onnx-int8", 0.93)):
        found = json.loads(exported[target].with_suffix(".json").read_text())["verification"]
        assert found["passed"]
        assert found["mask_iou"] >= least
        assert found["ran"] == MODEL_FILES[target]


def test_verified_on_photographs_the_report_has_miou_beside_fp32s(tmp_path):
    out = tmp_path / "onnx"
    result = CliRunner().invoke(
        main, ["export", "onnx", "--out", str(out), "--verify", str(EXAMPLES)]
    )
    assert result.exit_code == 0, result.output
    found = json.loads((out / "picosam2-fp32.json").read_text())["verification"]
    assert found["objects"] == 14
    assert found["drop"] == pytest.approx(0, abs=0.1)
    assert found["miou"]["box"] == pytest.approx(found["fp32_miou"]["box"], abs=1e-3)
    assert "box: " in result.stderr


def test_a_loss_beyond_what_is_accepted_is_refused_with_exit_code_3(tmp_path, monkeypatch):
    """As if the network had forgotten what it knows: the fp32 weights are far better."""
    monkeypatch.setattr(OnnxRuntime, "__call__", lambda self, crops: forgotten(crops))
    command = ["export", "onnx", "--out", str(tmp_path / "onnx"), "--verify", str(EXAMPLES)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 3
    assert "beyond what is accepted" in result.stderr
    found = json.loads((tmp_path / "onnx" / "picosam2-fp32.json").read_text())["verification"]
    assert not found["passed"]
    assert found["drop"] > 1


def forgotten(crops):
    return np.full(crops.shape[:3], -1, np.float32), np.full(len(crops), 0.5, np.float32)


def test_what_is_there_is_not_overwritten(exported):
    out = exported["onnx"].parent
    result = CliRunner().invoke(main, ["export", "onnx", "--out", str(out)])
    assert result.exit_code == 2
    assert "is there already" in result.stderr


def test_options_of_vela_are_refused_elsewhere(tmp_path):
    command = ["export", "onnx", "--accelerator", "ethos-u55-64", "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "--accelerator: for ethos-u only" in result.stderr


def test_a_tool_that_fails_is_quoted():
    command = [sys.executable, "-c", "print('no room on the sensor'); raise SystemExit(1)"]
    with pytest.raises(InputError, match=r"converting failed .*no room on the sensor"):
        run_tool(command, "converting")


def test_an_environment_is_made_once_however_many_want_it(tmp_path, monkeypatch):
    """Two exports at once: the second waits for the first, and finds the environment ready."""
    made = []

    def slowly(command, doing, **variables):
        made.append(doing)
        time.sleep(0.05)
        (folder() / "bin").mkdir(parents=True, exist_ok=True)
        (folder() / "bin" / "python").touch()

    def folder():
        return next(tmp_path.glob("environments/litert-*.lock")).with_suffix("")

    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path))
    monkeypatch.setattr(environment, "run_tool", slowly)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(environment.prepare, ["litert", "litert"])
    assert first == second == folder()
    packages = (environment.ISOLATED / "litert.txt").read_text().split()
    assert len(made) == len(set(made)) == 2 + math.ceil((len(packages) - 1) / environment.AT_ONCE)
    assert "torch==" in made[1], "first of all: what needs it must not bring another build"


def test_a_stopped_installation_goes_on_where_it_was(tmp_path, monkeypatch):
    """The network fails after three groups of packages: these are not installed again."""
    installed, groups, lasts = [], 0, 3

    def pip(command, doing, **variables):
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()
        if "pip" in command:
            nonlocal groups
            if groups == lasts:
                raise InputError("no network")
            groups += 1
            installed.extend(part for part in command if "==" in str(part))

    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path))
    monkeypatch.setattr(environment, "run_tool", pip)
    folder = environment.environment_folder("imx500")
    with pytest.raises(InputError, match="no network"):
        environment.prepare("imx500")
    assert not environment.is_ready("imx500")
    lasts = None
    environment.prepare("imx500")
    assert environment.is_ready("imx500")
    packages = (environment.ISOLATED / "imx500.txt").read_text().split()
    assert sorted(installed) == sorted(packages)


def test_an_environment_whose_python_is_gone_is_made_again(tmp_path, monkeypatch):
    def make(command, doing, **variables):
        made.append(doing)
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()

    made: list[str] = []
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path))
    monkeypatch.setattr(environment, "run_tool", make)
    folder = environment.environment_folder("imx500")
    environment.prepare("imx500")
    whole, made = made, []
    environment.prepare("imx500")
    assert made == [], "it was ready"
    (folder / "bin" / "python").unlink()
    environment.prepare("imx500")
    assert made == whole


@pytest.mark.parametrize("content", ["{}", "[]", '{"target": "nope"}', "not json"])
def test_fit_refuses_what_export_did_not_write(tmp_path, content):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "picosam2-int8.json").write_text(content)
    result = CliRunner().invoke(main, ["fit", str(tmp_path)])
    assert result.exit_code == 2
    assert "is not a description by picosam2 export" in result.stderr
    assert "picosam2 export TARGET" in CliRunner().invoke(main, ["fit", "nowhere"]).stderr


def test_fit_has_a_row_for_a_correcting_network_too(tmp_path):
    for name, weights in (("first", "small"), ("later", "correcting")):
        asked = ["export", "onnx", "--weights", weights, "--out", str(tmp_path / name)]
        assert CliRunner().invoke(main, asked).exit_code == 0
    result = CliRunner().invoke(main, ["fit", str(tmp_path), "--json", "-"])
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert [row["family"] for row in rows] == ["small", "correcting"]
    assert all(row["latency_ms"] > 0 for row in rows)


def test_who_asks_pytorch_for_int8_hears_which_names_it_runs():
    with pytest.raises(InputError, match="files, not small: give small-fp32"):
        open_runtime("small", "torch", 1)
    with pytest.raises(InputError, match="not small: picosam2 export makes them"):
        open_runtime("small", "litert", 1)


def test_bench_times_the_models_of_the_package():
    result = CliRunner().invoke(main, ["bench", "--rounds", "1", "--threads", "1", "--json", "-"])
    rows = json.loads(result.stdout)
    assert {"onnx", "torch"} <= {row["engine"] for row in rows}
    assert {row["weights"] for row in rows} == set(BUNDLED)
    assert (rows[0]["ratio"], rows[0]["mask_iou"]) == (1, 1)
    assert all(0 < row["crop_ms"] < row["click_ms"] for row in rows)
    result = CliRunner().invoke(main, ["bench", "nothing.foo"])
    assert result.exit_code == 2
    assert "no engine runs such files" in result.stderr


def test_every_name_of_bundled_weights_opens_on_its_engine():
    for name in BUNDLED:
        assert open_runtime(name, None, 1).digest == open_runtime(model_path(name), None, 1).digest
        assert set(open_runtime(name, None, 1).scores["models"]) == {"click", "box"}
    assert type(open_runtime("paper-fp32", "torch", 1)).__name__ == "TorchRuntime"


def test_names_from_when_there_was_one_network_are_the_default_ones():
    for old, new in (("int8", DEFAULT_MODEL), ("fp32", f"{DEFAULT_MODEL}-fp32")):
        with pytest.warns(DeprecationWarning, match=f"{old!r} are now {new!r}"):
            assert open_runtime(old, None, 1).digest == open_runtime(new, None, 1).digest
    photograph = str(EXAMPLES / "images" / "coffee.jpg")
    arguments = ["segment", photograph, "--point", "300,200", "--json", "-"]
    result = CliRunner().invoke(main, [*arguments, "--weights", "int8"])
    assert f"--weights int8 is deprecated: it is {DEFAULT_MODEL} now" in result.stderr
    assert result.stdout == CliRunner().invoke(main, arguments).stdout


def test_a_model_without_a_sidecar_goes_by_the_networks_own_predicted_iou(tmp_path):
    """Score models belong to weights: those of others would be wrong for them."""
    alone = tmp_path / "model.onnx"
    shutil.copy(model_path("paper"), alone)
    assert Predictor.from_pretrained(alone, threads=1).scores == OWN_SCORES
    assert Predictor.from_pretrained("paper", threads=1).scores != OWN_SCORES
    for models in ({"click": {}}, {"click": {"weights": [10**400], "bias": 0}}):
        (tmp_path / "model.json").write_text(json.dumps({"scores": {"models": models}}))
        with pytest.raises(InputError, match="export it again"):
            Predictor.from_pretrained(alone, threads=1)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        Predictor.from_pretrained(alone, threads=1)


@pytest.mark.parametrize(
    ("weights", "engine", "words"),
    [
        ("paper", "torch", "torch runs .safetensors files, not paper"),
        ("paper", "abacus", "unknown engine abacus: choose from auto, onnx"),
        ("model.xyz", None, "onnx runs .onnx files, not model.xyz"),
    ],
)
def test_an_engine_that_does_not_run_the_weights_is_one_line(weights, engine, words):
    with pytest.raises(InputError, match=re.escape(words)):
        open_runtime(weights, engine, 1)


def test_an_engine_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"-m pip install -e '.*\[openvino\]'$"):
        open_runtime("paper", "openvino", 1)


def test_the_peak_of_activations_is_that_of_the_last_decoder_block():
    """80 channels in and out of its depthwise convolution, and the first skip of 48, at 96×96."""
    found = network_costs(weights_path("paper"))["activation_bytes"]
    assert found["1"] // 1024 == 80 * 9 + 80 * 9 + 48 * 9
    assert found["32"] // 1024 == 96 * 9 + 96 * 9 + 64 * 9


def test_the_activations_of_the_small_network_fit_half_a_mebibyte(tmp_path):
    """16 channels at 96×96 and 64 at 48×48: its ReLU6 works in place."""
    weights = tmp_path / "small.safetensors"
    save_weights(weights, build(SmallConfig()))
    assert network_costs(weights)["activation_bytes"]["1"] < 512 * 1024


def test_activations_in_place_take_no_memory_of_their_own(tmp_path):
    """a → Conv → b → Relu → c (in place of b), and a + c in place of either."""
    value = functools.partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
    shape = [1, 4, 8, 8]
    weight = numpy_helper.from_array(np.zeros((4, 4, 1, 1), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["a", "w"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Add", ["a", "c"], ["d"]),
    ]
    inputs, outputs = [value("a", shape=shape)], [value("d", shape=shape)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [weight])
    onnx.save(helper.make_model(graph), tmp_path / "g.onnx")
    peak = peak_memory(tmp_path / "g.onnx")
    assert peak.bytes == 2 * 4 * 8 * 8
    assert peak.node == "b"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_manifest_names_the_shipped_files(family):
    """Digests, the run's record and the training photographs' ids are those of the weights."""
    manifest = read_manifest(family)
    models = {path.name for path in (FOLDER / family).iterdir() if path.suffix != ".json"}
    assert set(manifest["files"]) == models
    for name, entry in manifest["files"].items():
        content = (FOLDER / family / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
    for run in (manifest["run"], *manifest["earlier_runs"]):
        assert isinstance(run["config"]["seed"], int)
        assert all(part["image_ids"] for part in run["data"])
    for split in ("coco-val", "lvis-val", "coco-dev"):
        figures = manifest["metrics"][split]["int8"]
        assert figures["weights_sha256"] == manifest["files"][INT8]["sha256"]
        assert {"crop96", "paper96", "click", "box"} <= set(figures["protocols"])


@pytest.mark.parametrize("target", ["onnx", pytest.param("onnx-int8", marks=pytest.mark.edge)])
def test_a_correcting_network_has_a_second_input(target, tmp_path):
    out = tmp_path / target
    result = CliRunner().invoke(
        main, ["export", target, "--weights", CORRECTING_MODEL, "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    model = out / MODEL_FILES[target]
    sidecar = json.loads(model.with_suffix(".json").read_text())
    assert [tensor["name"] for tensor in sidecar["inputs"]] == ["image", "prior"]
    assert sidecar["inputs"][1]["shape"] == ["batch", 2, 96, 96]
    assert sidecar["network"]["family"] == "correcting"
    golden = sidecar["golden"]
    crop = np.frombuffer(base64.b64decode(golden["input"]["data"]), np.uint8).reshape(1, 96, 96, 3)
    prior = np.frombuffer(base64.b64decode(golden["prior"]["data"]), np.int8).reshape(1, 96, 96, 2)
    logits, iou = open_corrector(model, None, 1)(crop, prior)
    expected = np.frombuffer(base64.b64decode(golden["logits"]["data"]), "<f4").reshape(96, 96)
    assert np.abs(logits[0] - expected).max() < 0.5
    assert iou[0] == pytest.approx(golden["predicted_iou"], abs=0.05)
    # What it is told matters.
    unknown = open_corrector(model, None, 1)(crop, np.zeros_like(prior))[0]
    assert np.abs(unknown - logits).mean() > 0.1


@pytest.mark.parametrize("target", ["imx500", "ethos-u", "c-array"])
def test_a_correcting_network_is_not_for_sensors(target, tmp_path, monkeypatch):
    # The tools themselves need not be here.
    monkeypatch.setattr("picosam2.export.targets.Target.load", lambda _: None)
    out = tmp_path / "x"
    with pytest.raises(InputError, match="is for the first look"):
        export_model(target, weights_path(CORRECTING_MODEL), out, None, None, 1.0, 0)
    assert not out.exists()


def test_a_correcting_network_runs_on_openvino(tmp_path):
    pytest.importorskip("openvino")
    out = tmp_path / "openvino"
    result = CliRunner().invoke(
        main, ["export", "openvino", "--weights", CORRECTING_MODEL, "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    corrector = open_corrector(next(out.glob("*.xml")), None, 1)
    fp32 = TorchRuntime.from_file(weights_path(CORRECTING_MODEL))
    samples = golden_samples(True)
    assert np.abs(corrector(*samples.inputs)[0] - fp32(*samples.inputs)[0]).max() < 0.1


def test_openvino_adds_bytes_as_onnx_runtime_does():
    """Both overflow without VNNI, and neither with it, however floats are rounded elsewhere."""
    openvino = pytest.importorskip("picosam2.runtime.openvino", exc_type=ImportError)
    assert openvino.sums_of_bytes_are_exact() == session.sums_of_bytes_are_exact()

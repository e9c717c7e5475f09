"""The model's files: an encoder that passes the photograph on, a decoder, and their description."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import helper, numpy_helper, version_converter
from onnx.inliner import inline_local_functions
from onnx_ir.passes.common import (
    DeduplicateInitializersPass,
    LiftConstantsToInitializersPass,
    LiftSubgraphInitializersToMainGraphPass,
)
from onnxscript import OnnxFunction

from picosam2.errors import InputError
from picosam2.files import new_folder
from picosam2.integrations.x_anylabeling.decoding import NETWORKS, decode
from picosam2.integrations.x_anylabeling.encoding import encode
from picosam2.predictor.scores import ScoreModel, read_models
from picosam2.runtime.files import read_sidecar
from picosam2.runtime.onnx import OnnxRuntime
from picosam2.weights import BUNDLED, CORRECTING_MODEL, model_path

# Side of the masks, which X-AnyLabeling enlarges to the photograph.
MASK_SIDE = 512
OPSET = 18
ENCODER, DECODER, DESCRIPTION = "encoder.onnx", "decoder.onnx", "picosam2.yaml"


def write_model(weights: str, out: Path) -> None:
    """Write a folder with the two models and the description that X-AnyLabeling loads.

    Args:
        weights: of the first look: ``small``, ``paper``, or an ONNX file made by ``picosam2``.
        out: the new folder.

    Raises:
        InputError: there are no such weights, or the folder exists and holds something.
    """
    first = Path(model_path(weights))
    if OnnxRuntime(first, threads=1).takes_prior:
        raise InputError(f"{weights} corrects masks: give weights of the first look")
    name = weights if weights in BUNDLED else first.stem
    sidecar = read_sidecar(first)
    scores = read_models(sidecar.scores)
    decoder = _proto(decode)
    for function, path in (("FirstLook", first), ("Correcting", model_path(CORRECTING_MODEL))):
        decoder.functions.append(_as_function(onnx.load(path), function))
    # onnxscript leaves out of functions which domains they call.
    domains = {function.domain for function in decoder.functions}
    for part in (decoder, *decoder.functions):
        known = {opset.domain for opset in part.opset_import}
        part.opset_import.extend(helper.make_opsetid(d, 1) for d in domains - known)
    decoder = _flat(decoder)
    _bind(decoder, _parameters(scores["click"], "click"))
    _bind(decoder, _parameters(scores["box"], "box"))
    _bind(decoder, {"marks": np.array([sidecar.marks_boxes], np.float32)})
    _bind(decoder, {"size": np.array([MASK_SIDE], np.float32)})
    with new_folder(out) as folder:
        onnx.save(_proto(encode), folder / ENCODER)
        onnx.save(decoder, folder / DECODER)
        (folder / DESCRIPTION).write_text(_description(name), encoding="utf-8")


def _description(name: str) -> str:
    # "Everything" with the thresholds of AutomaticMaskGenerator; a batch of masks is 16 MB.
    return f"""type: segment_anything_2
name: {json.dumps(f"picosam2-{re.sub('[^A-Za-z0-9._-]', '_', name)}")}
provider: PicoSAM2
display_name: {json.dumps(f"PicoSAM2 ({name})")}
encoder_model_path: {ENCODER}
decoder_model_path: {DECODER}
amg_points_per_side: 32
amg_points_per_batch: 16
amg_pred_iou_thresh: 0.5
amg_stability_score_thresh: 0.5
"""


def _proto(function: OnnxFunction[..., Any]) -> onnx.ModelProto:
    model: onnx.ModelProto = function.to_model_proto()  # type: ignore[no-untyped-call]
    model.ir_version = 9
    return model


def _make_unsigned(graph: onnx.GraphProto) -> None:
    """Weights of 8 bits as whole numbers from 0 on, which multiply exactly on every processor.

    Where x86 has no VNNI, products of unsigned and signed ones overflow (see ``runtime.session``).
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for tensor in tensors.values():
        if tensor.data_type == onnx.TensorProto.INT8:
            raised = numpy_helper.to_array(tensor).astype(np.int16) + 128
            tensor.CopyFrom(numpy_helper.from_array(raised.astype(np.uint8), tensor.name))


def _flat(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without functions; each of the networks' constants once, however often they are called."""
    flat = ir.from_proto(inline_local_functions(model))
    for change in (LiftConstantsToInitializersPass(), LiftSubgraphInitializersToMainGraphPass()):
        change(flat)
    DeduplicateInitializersPass(size_limit=2**24)(flat)
    return ir.to_proto(flat)


def _parameters(model: ScoreModel, kind: str) -> dict[str, NDArray[np.float32]]:
    weights = np.array(model.weights, np.float32)
    return {f"{kind}_weights": weights, f"{kind}_bias": np.array([model.bias], np.float32)}


def _bind(model: onnx.ModelProto, values: dict[str, NDArray[np.float32]]) -> None:
    """Make constants of inputs."""
    inputs = [value for value in model.graph.input if value.name not in values]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for name, array in values.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))


def _as_function(model: onnx.ModelProto, name: str) -> onnx.FunctionProto:
    """A network as a function that other graphs call."""
    graph = version_converter.convert_version(model, OPSET).graph
    _make_unsigned(graph)
    constants = [
        helper.make_node("Constant", [], [tensor.name], value=tensor)
        for tensor in graph.initializer
    ]
    return helper.make_function(
        NETWORKS,
        name,
        [value.name for value in graph.input],
        [value.name for value in graph.output],
        [*constants, *graph.node],
        [helper.make_opsetid("", OPSET)],
    )

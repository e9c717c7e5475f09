"""ONNX in fp32 and, by ONNX Runtime's static quantisation, in INT8."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from picosam2.checkpoint import load_weights
from picosam2.data.source import Source
from picosam2.errors import InputError
from picosam2.export.calibration import calibration_crops
from picosam2.export.sidecar import write_sidecar
from picosam2.files import replacing
from picosam2.model import CameraModel
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.onnx import OnnxRuntime

OPSET = 17
CALIBRATION_CROPS = 300


def export_fp32(weights: Path, out: Path) -> None:
    """Write the network as fp32 ONNX, BatchNorm folded, with its sidecar.

    Args:
        weights: safetensors.
        out: the ``.onnx`` file to write.
    """
    _check_name(out)
    with replacing(out) as temporary:
        _write_onnx(weights, temporary)
        write_sidecar(out, OnnxRuntime(temporary), weights)


def export_int8(weights: Path, out: Path, calibration: Source, seed: int) -> None:
    """Write the network as INT8 ONNX (QDQ; activations u8, weights s8 per channel).

    Args:
        weights: safetensors.
        out: the ``.onnx`` file to write.
        calibration: photographs whose crops set the activations' ranges.
        seed: of the choice of crops.
    """
    _check_name(out)
    crops = calibration_crops(calibration, CALIBRATION_CROPS, seed)
    with replacing(out) as temporary, tempfile.TemporaryDirectory() as folder:
        fp32 = Path(folder) / "fp32.onnx"
        _write_onnx(weights, fp32)
        onnx.save(upsample_by_gather(onnx.load(fp32)), fp32)
        quantize_static(
            fp32,
            temporary,
            _Crops(crops),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
        write_sidecar(
            out,
            OnnxRuntime(temporary),
            weights,
            quantisation={
                "activations": "uint8, one scale a tensor",
                "weights": "int8, one scale an output channel",
                "scales": _activation_scales(temporary),
            },
            calibration={
                "folder": calibration.name,
                "sha256": calibration.digest,
                "crops": len(crops),
                "seed": seed,
            },
        )


def _check_name(out: Path) -> None:
    if out.suffix != ".onnx":
        raise InputError(f"{out} must be named .onnx: its JSON file is written beside it")


def _write_onnx(weights: Path, out: Path) -> None:
    model = CameraModel(load_weights(weights)).eval()
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, CROP_SIZE, CROP_SIZE),),
        str(out),
        input_names=["image"],
        output_names=["logits", "iou_logits"],
        dynamic_axes={name: {0: "batch"} for name in ("image", "logits", "iou_logits")},
        opset_version=OPSET,
        # The tracing exporter: it needs no further package, and the IMX500 chain takes only it.
        dynamo=False,
    )


def upsample_by_gather(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace each nearest ×2 ``Resize`` by ``Gather`` of rows and columns, channels last.

    The result is the same to the bit. ONNX Runtime runs INT8 convolutions channels-last, where its
    ``Resize`` goes byte by byte and ``Gather`` copies whole pixels: 0.7 of the model's time. It
    removes the transpositions itself, since they cancel with those of the convolutions.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    sides = {
        value.name: value.type.tensor_type.shape.dim[-1].dim_value for value in graph.value_info
    }
    nodes: list[onnx.NodeProto] = []
    added: dict[int, onnx.TensorProto] = {}
    for node in graph.node:
        if node.op_type != "Resize":
            nodes.append(node)
            continue
        side, name = sides[node.input[0]], node.output[0]
        index = f"nearest_{side}"
        added[side] = numpy_helper.from_array(np.arange(side).repeat(2), index)
        nodes += [
            helper.make_node("Transpose", [node.input[0]], [f"{name}_nhwc"], perm=[0, 2, 3, 1]),
            helper.make_node("Gather", [f"{name}_nhwc", index], [f"{name}_rows"], axis=1),
            helper.make_node("Gather", [f"{name}_rows", index], [f"{name}_pixels"], axis=2),
            helper.make_node("Transpose", [f"{name}_pixels"], [name], perm=[0, 3, 1, 2]),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(added.values())
    return model


class _Crops(CalibrationDataReader):  # type: ignore[misc]
    """Feeds crops to the quantiser, one at a time."""

    def __init__(self, crops: NDArray[np.uint8]) -> None:
        self._crops = iter(crops)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next input of the network, or None at the end."""
        crop = next(self._crops, None)
        return None if crop is None else {"image": crop.transpose(2, 0, 1)[None].astype(np.float32)}


def _activation_scales(model: Path) -> dict[str, dict[str, Any]]:
    """Scale and zero point of the quantised input and outputs."""
    graph = onnx.load(model).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    names = {value.name for value in (*graph.input, *graph.output)}
    return {
        next(name for name in (*node.input, *node.output) if name in names): {
            "scale": float(constants[node.input[1]]),
            "zero_point": int(constants[node.input[2]]),
        }
        for node in graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        and names & {node.input[0], node.output[0]}
    }

"""ONNX in INT8, by ONNX Runtime's static quantisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from picosam2.export.artefact import Artefact, Job, Samples, nchw_tensors
from picosam2.export.onnx import write_onnx
from picosam2.files import scratch_folder
from picosam2.runtime.onnx import OnnxRuntime


def export_onnx_int8(job: Job) -> Artefact:
    """``picosam2-int8.onnx``: QDQ; activations u8, weights s8 per channel."""
    model = job.folder / "picosam2-int8.onnx"
    with scratch_folder() as folder:
        fp32 = folder / "fp32.onnx"
        write_onnx(job.weights, fp32)
        onnx.save(upsample_by_gather(onnx.load(fp32)), fp32)
        quantise(fp32, model, job.samples)
    return Artefact(
        model,
        OnnxRuntime(model),
        nchw_tensors("batch", job.samples.prior is not None),
        details={"quantisation": quantisation(model)},
    )


def quantise(fp32: Path, out: Path, samples: Samples) -> None:
    """Write fp32 ONNX as QDQ in INT8.

    Args:
        fp32: an ``.onnx`` file; the shapes of its tensors are added to it.
        out: the file to write.
        samples: which set the ranges of the activations.
    """
    # What the quantiser asks for, in warnings.
    quant_pre_process(fp32, fp32, skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        fp32,
        out,
        _Reader(samples),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )


def quantisation(model: Path) -> dict[str, Any]:
    """How a model by ``quantise`` is quantised, for its sidecar."""
    return {
        "activations": "uint8, one scale a tensor",
        "weights": "int8, one scale an output channel",
        "scales": _activation_scales(model),
    }


def upsample_by_gather(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace each nearest ×2 ``Resize`` by ``Gather`` of rows and columns, channels last.

    The result is the same to the bit. ONNX Runtime runs INT8 convolutions channels-last, where its
    ``Resize`` goes byte by byte and ``Gather`` copies whole pixels: 0.7 of the model's time. It
    removes the transpositions itself, since they cancel with those of the convolutions.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    sides = {
        value.name: value.type.tensor_type.shape.dim[-1].dim_value
        for value in graph.value_info
        if value.type.tensor_type.shape.dim
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
    # The scales of what was replaced.
    used = {name for node in nodes for name in node.input}
    nodes = [node for node in nodes if node.op_type != "Constant" or node.output[0] in used]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(added.values())
    return model


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Feeds samples to the quantiser, one at a time."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples.named()

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next inputs of the network, or None at the end."""
        return next(self._samples, None)


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

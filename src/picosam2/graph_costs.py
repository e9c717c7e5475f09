"""What an ONNX graph costs: multiply-accumulates and parameters."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from picosam2.files import scratch_folder
from picosam2.graph import Graph

LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm", "LayerNormalization", "BatchNormalization")
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def count_macs(graph: Graph) -> int:
    """Multiply-accumulates of its convolutions and matrix products in one run.

    The graph is run once on zeros, unoptimised, and the shapes are taken from ONNX Runtime's
    profile, so that inputs of any size and every operator are covered.
    """
    with scratch_folder() as folder:
        options = _unoptimised()
        options.enable_profiling = True
        # The profile leaves out weights that are packed for a kernel.
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.profile_file_prefix = str(folder / "profile")
        session = onnxruntime.InferenceSession(
            str(graph.path), options, providers=["CPUExecutionProvider"]
        )
        feeds = {name: np.zeros(shape, np.float32) for name, shape in graph.inputs.items()}
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    return sum(
        _node_macs(event["args"]) for event in events if event["name"].endswith("_kernel_time")
    )


def count_parameters(graph: Graph) -> int:
    """Weights and biases of its layers; of quantised graphs the constants that are dequantised.

    Tables that an exporter computed beforehand (interpolated position embeddings) are no
    parameters; nor are learned tokens counted, a few thousand in SAM's decoders.
    """
    with scratch_folder() as folder:
        path = graph.path
        if path.suffix == ".ort":
            # Only ONNX Runtime reads its own format; it writes it back as ONNX.
            path = folder / "model.onnx"
            options = _unoptimised()
            options.optimized_model_filepath = str(path)
            options.add_session_config_entry("session.save_model_format", "ONNX")
            onnxruntime.InferenceSession(
                str(graph.path), options, providers=["CPUExecutionProvider"]
            )
        model = onnx.load(path).graph
    quantised = {n.input[0] for n in model.node if n.op_type == "DequantizeLinear"}
    of_layers = {name for n in model.node if n.op_type in LAYERS for name in n.input}
    return sum(
        math.prod(tensor.dims)
        for tensor in model.initializer
        if tensor.name in (quantised or of_layers)
        or (not quantised and len(tensor.dims) == 1 and tensor.data_type in FLOATS)
    )


def _unoptimised() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return options


def _node_macs(node: dict[str, Any]) -> int:
    kind = node["op_name"]
    if kind not in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
        return 0
    inputs, (output, *_) = (
        [next(iter(shape.values())) for shape in node[f"{way}_type_shape"]]
        for way in ("input", "output")
    )
    if kind == "Conv":
        macs = math.prod(output) * math.prod(inputs[1][1:])
    elif kind == "ConvTranspose":
        macs = math.prod(inputs[0]) * math.prod(inputs[1][1:])
    elif kind == "MatMul":
        macs = math.prod(output) * inputs[0][-1]
    else:
        macs = math.prod(inputs[0]) * output[-1]
    return int(macs)

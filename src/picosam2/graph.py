"""What an ONNX graph costs: multiply-accumulates, parameters, bytes."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """A model file and the inputs it is run with.

    Args:
        path: an ``.onnx`` or ``.ort`` file.
        inputs: shapes by name, all float32.
    """

    path: Path
    inputs: Mapping[str, Shape]


def count_macs(graph: Graph) -> int:
    """Multiply-accumulates of its convolutions and matrix products in one run.

    The graph is run once on zeros, unoptimised, and the shapes are taken from ONNX Runtime's
    profile, so that inputs of any size and every operator are covered.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = _unoptimised()
        options.enable_profiling = True
        # The profile leaves out weights that are packed for a kernel.
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.profile_file_prefix = str(Path(folder) / "profile")
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
    """Weights and biases: its constants, of quantised graphs those that are dequantised."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = graph.path
        if path.suffix == ".ort":
            # Only ONNX Runtime reads its own format; it writes it back as ONNX.
            path = Path(folder) / "model.onnx"
            options = _unoptimised()
            options.optimized_model_filepath = str(path)
            options.add_session_config_entry("session.save_model_format", "ONNX")
            onnxruntime.InferenceSession(
                str(graph.path), options, providers=["CPUExecutionProvider"]
            )
        model = onnx.load(path).graph
    sizes = {
        tensor.name: math.prod(tensor.dims)
        for tensor in model.initializer
        if tensor.data_type != onnx.TensorProto.INT64
    }
    quantised = {n.input[0] for n in model.node if n.op_type == "DequantizeLinear"}
    return sum(size for name, size in sizes.items() if not quantised or name in quantised)


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

"""How much memory a network's activations need: a liveness analysis of its ONNX graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import onnx

# Their result overwrites an operand that nobody else will read.
IN_PLACE = {"Add", "Clip", "Mul", "Relu"}


@dataclass(frozen=True)
class Peak:
    """The moment when most memory is in use.

    Args:
        bytes: of all activations that are alive then.
        node: which operator runs, by its output's name.
        alive: bytes by tensor.
    """

    bytes: int
    node: str
    alive: dict[str, int]


def peak_memory(model: Path, element_bytes: int = 1, channel_multiple: int = 1) -> Peak:
    """The most memory that activations take when the operators run in the graph's order.

    A tensor lives from the operator that makes it to the last one that reads it; inputs of the
    graph live from the start, its outputs to the end. Additions, products, ReLUs and
    clipping (ReLU6) work in place where their operand ends with them. Weights are not counted.

    Args:
        model: an ``.onnx`` file, unquantised, of the network for one image.
        element_bytes: of an activation; 1 for INT8.
        channel_multiple: channels are padded to a multiple of this (32 on the IMX500).
    """
    graph = onnx.shape_inference.infer_shapes(onnx.load(model)).graph
    sizes = {
        value.name: _bytes(value, element_bytes, channel_multiple)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        # The limits of a Clip are scalars.
        and value.type.tensor_type.shape.dim
    }
    outputs = {value.name for value in graph.output}
    last_read = {name: index for index, node in enumerate(graph.node) for name in node.input}
    # In-place results are the same memory as their operand.
    memory = {name: name for name in sizes}
    alive = {value.name: sizes[value.name] for value in graph.input}
    peak = Peak(0, "", {})
    for index, node in enumerate(graph.node):
        (result, *_) = node.output
        if result not in sizes:
            continue
        ending = [
            name
            for name in node.input
            if name in sizes and last_read[name] == index and name not in outputs
        ]
        reused = next(
            (name for name in ending if node.op_type in IN_PLACE and sizes[name] == sizes[result]),
            None,
        )
        memory[result] = memory[reused] if reused else result
        alive[memory[result]] = sizes[result]
        if sum(alive.values()) > peak.bytes:
            peak = Peak(sum(alive.values()), result, dict(alive))
        for name in ending:
            if name != reused:
                del alive[memory[name]]
    return peak


def _bytes(value: onnx.ValueInfoProto, element_bytes: int, channel_multiple: int) -> int:
    # The batch is one image, whatever the graph calls it.
    _, *shape = (dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
    if len(shape) == 3:
        shape[0] = math.ceil(shape[0] / channel_multiple) * channel_multiple
    return int(math.prod(shape)) * element_bytes

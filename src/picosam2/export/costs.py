"""What a network costs wherever it runs: parameters, multiplications, memory of its activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from picosam2.checkpoint import load_weights
from picosam2.export.onnx import write_onnx
from picosam2.files import scratch_folder
from picosam2.graph import Graph
from picosam2.graph_costs import count_macs
from picosam2.graph_memory import peak_memory
from picosam2.prompt import CROP_SIZE

# The IMX500 pads channels to a multiple of 32.
CHANNEL_MULTIPLES = (1, 32)


def network_costs(weights: Path) -> dict[str, Any]:
    """The costs of a crop in the network of some weights, JSON-ready.

    Args:
        weights: safetensors.

    Returns:
        ``family``, ``parameters``, ``macs``, and ``activation_bytes``: the peak by liveness
        analysis, one byte a value, by what channels are padded to a multiple of.
    """
    network = load_weights(weights)
    shapes = {"image": (1, 3, CROP_SIZE, CROP_SIZE)}
    if network.config.takes_prior:
        shapes["prior"] = (1, 2, CROP_SIZE, CROP_SIZE)
    with scratch_folder() as folder:
        graph = folder / "network.onnx"
        write_onnx(weights, graph)
        return {
            "family": network.config.family,
            "parameters": sum(p.numel() for p in network.parameters()),
            "macs": count_macs(Graph(graph, shapes)),
            "activation_bytes": {
                str(multiple): peak_memory(graph, channel_multiple=multiple).bytes
                for multiple in CHANNEL_MULTIPLES
            },
        }

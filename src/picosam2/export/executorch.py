"""ExecuTorch with XNNPACK kernels, in fp32 or INT8."""

from __future__ import annotations

from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from picosam2.checkpoint import load_weights
from picosam2.export.artefact import Artefact, Job, nchw_tensors
from picosam2.model import CameraModel
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.executorch import ExecuTorchRuntime

EXAMPLE = (torch.zeros(1, 3, CROP_SIZE, CROP_SIZE),)


def export_executorch(job: Job) -> Artefact:
    """``picosam2-fp32.pte``."""
    return _write(_network(job), job.folder / "picosam2-fp32.pte")


def export_executorch_int8(job: Job) -> Artefact:
    """``picosam2-int8.pte``: activations and weights s8; float32 in and out."""
    config = get_symmetric_quantization_config(is_per_channel=True)
    quantizer = XNNPACKQuantizer().set_global(config)
    network = prepare_pt2e(torch.export.export(_network(job), EXAMPLE).module(), quantizer)
    with torch.inference_mode():
        for crop in torch.from_numpy(job.crops.transpose(0, 3, 1, 2)):
            network(crop[None].float().contiguous())
    return _write(convert_pt2e(network), job.folder / "picosam2-int8.pte")


def _network(job: Job) -> nn.Module:
    return CameraModel(load_weights(job.weights)).eval()


def _write(network: nn.Module, out: Path) -> Artefact:
    program = to_edge_transform_and_lower(
        torch.export.export(network, EXAMPLE), partitioner=[XnnpackPartitioner()]
    )
    out.write_bytes(program.to_executorch().buffer)
    return Artefact(out, ExecuTorchRuntime(out), nchw_tensors(1))

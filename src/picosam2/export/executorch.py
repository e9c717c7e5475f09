"""ExecuTorch with XNNPACK kernels, in fp32 or INT8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from torch import Tensor, nn
from torchao.quantization.pt2e import MinMaxObserver
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import QuantizationSpec

from picosam2.checkpoint import load_weights
from picosam2.export.artefact import Artefact, Job, nchw_tensors
from picosam2.model import CameraModel
from picosam2.runtime.executorch import ExecuTorchRuntime

# Of the smallest scale, as XNNPACK's own configuration has it.
EPSILON = 2**-12


def export_executorch(job: Job) -> Artefact:
    """``picosam2-fp32.pte``."""
    return _write(_network(job), job, job.folder / "picosam2-fp32.pte")


def export_executorch_int8(job: Job) -> Artefact:
    """``picosam2-int8.pte``: activations and weights s8; float32 in and out."""
    network, observer = _network(job), MinMaxObserver
    if any(isinstance(module, nn.ReLU6) for module in network.modules()):
        # XNNPACK's quantiser fuses ReLU into convolutions, not ReLU6: it would quantise what is
        # clipped afterwards. A range that ends at 6 clips as well.
        _replace(network, nn.ReLU6, nn.ReLU)
        observer = _UpTo6
    config = get_symmetric_quantization_config(is_per_channel=True)
    # The smallest and the largest value seen: the default, histograms, takes most of the time.
    config = replace(
        config,
        input_activation=_observed(config.input_activation, MinMaxObserver),
        output_activation=_observed(config.output_activation, observer),
    )
    quantizer = XNNPACKQuantizer().set_global(config)
    network = prepare_pt2e(torch.export.export(network, _example(job)).module(), quantizer)
    with torch.inference_mode():
        for inputs in job.samples.named():
            network(*map(torch.from_numpy, inputs.values()))
    return _write(convert_pt2e(network), job, job.folder / "picosam2-int8.pte")


class _UpTo6(MinMaxObserver):  # type: ignore[misc]
    """Of a network whose activations are ReLU6: what is never negative ends at 6."""

    def forward(self, x: Tensor) -> Tensor:
        """Observe, and pass on what ReLU6 would."""
        clipped = x.clamp(max=6.0) if x.min() >= 0 else x
        super().forward(clipped)
        return clipped


def _observed(spec: QuantizationSpec, observer: type[MinMaxObserver]) -> QuantizationSpec:
    return replace(spec, observer_or_fake_quant_ctr=observer.with_args(eps=EPSILON))


def _replace(network: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> None:
    for name, module in list(network.named_modules()):
        if isinstance(module, old):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, new())


def _network(job: Job) -> nn.Module:
    return CameraModel(load_weights(job.weights)).eval()


def _example(job: Job) -> tuple[Tensor, ...]:
    """Inputs of the network."""
    return tuple(map(torch.from_numpy, next(job.samples.named()).values()))


def _write(network: nn.Module, job: Job, out: Path) -> Artefact:
    program = to_edge_transform_and_lower(
        torch.export.export(network, _example(job)), partitioner=[XnnpackPartitioner()]
    )
    out.write_bytes(program.to_executorch().buffer)
    return Artefact(out, ExecuTorchRuntime(out), nchw_tensors(1, job.samples.prior is not None))

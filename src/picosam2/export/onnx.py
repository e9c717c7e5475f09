"""ONNX in fp32."""

from __future__ import annotations

from pathlib import Path

import torch

from picosam2.checkpoint import load_weights
from picosam2.export.artefact import Artefact, Job, nchw_tensors
from picosam2.model import CameraModel
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.onnx import OnnxRuntime

OPSET = 17


def export_onnx(job: Job) -> Artefact:
    """``picosam2-fp32.onnx``, BatchNorm folded."""
    model = job.folder / "picosam2-fp32.onnx"
    write_onnx(job.weights, model)
    return Artefact(model, OnnxRuntime(model), nchw_tensors("batch", job.samples.prior is not None))


def write_onnx(weights: Path, out: Path) -> None:
    """Write the network to a file."""
    network = load_weights(weights)
    inputs = {"image": torch.zeros(1, 3, CROP_SIZE, CROP_SIZE)}
    if network.config.takes_prior:
        inputs["prior"] = torch.zeros(1, 2, CROP_SIZE, CROP_SIZE)
    outputs = ["logits", "iou_logits"]
    torch.onnx.export(
        CameraModel(network).eval(),
        tuple(inputs.values()),
        str(out),
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes={name: {0: "batch"} for name in (*inputs, *outputs)},
        opset_version=OPSET,
        # The tracing exporter: it needs no further package, and the IMX500 chain takes only it.
        dynamo=False,
    )

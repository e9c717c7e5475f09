"""An encoder that has seen ImageNet, for the networks that have room for one."""

from __future__ import annotations

from pathlib import Path

import safetensors
from safetensors.torch import load_file

from picosam2.errors import InputError
from picosam2.model.base import PicoSAM2


def load_encoder(network: PicoSAM2, path: Path) -> None:
    """Give a network's encoder the weights in a file; everything else stays as it is.

    Args:
        network: of the family that the file was made for.
        path: safetensors by ``scripts/convert_encoder.py``.

    Raises:
        InputError: the file is missing or broken, or the network has no such encoder.
    """
    try:
        tensors = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    encoder = {name for name, _ in network.named_parameters() if network.is_encoder(name)}
    try:
        missing, unexpected = network.load_state_dict(tensors, strict=False)
        fits = bool(encoder) and not unexpected and not encoder & set(missing)
    except RuntimeError:
        fits = False
    if not fits:
        raise InputError(f"{path} does not fit the encoder of the {network.config.family} network")

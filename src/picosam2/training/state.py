"""The state of a run on disk: safetensors only, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from picosam2.checkpoint import READ_ERRORS, first_line, save_tensors
from picosam2.errors import InputError

STATE_FILE = "state.safetensors"


def save_state(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    step: int,
) -> None:
    """Write all that :func:`load_state` needs to go on exactly where the run stood."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("network", network), ("average", average)):
        tensors |= {f"{prefix}.{k}": v for k, v in module.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer{number}.{index}.{k}": v for k, v in state.items()}
    tensors["step"] = torch.tensor(step)
    tensors = {k: v.detach().contiguous().cpu().clone() for k, v in tensors.items()}
    # safetensors writes several entries of metadata in any order: with one, equal states are equal.
    save_tensors(path, tensors, {"optimizers": _names(optimizers)})


def load_state(
    path: Path, network: nn.Module, average: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> int:
    """Restore a run from :func:`save_state`'s file.

    Returns:
        The number of steps done.

    Raises:
        InputError: the file is broken or of another network.
    """
    try:
        with safetensors.safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("optimizers") != _names(optimizers):
            raise ValueError("it was saved with other optimisers")
        tensors = load_file(path)
        step = int(tensors["step"])
        for prefix, module in (("network", network), ("average", average)):
            module.load_state_dict(_part(tensors, prefix))
        for number, optimizer in enumerate(optimizers):
            _load_optimizer(optimizer, _part(tensors, f"optimizer{number}"))
    except READ_ERRORS as error:
        reason = first_line(error)
        raise InputError(f"cannot resume from {path}: {reason}; remove it to start anew") from None
    return step


def _names(optimizers: list[torch.optim.Optimizer]) -> str:
    return ",".join(type(optimizer).__name__ for optimizer in optimizers)


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                # The fused AdamW walks the memory: moments need the parameter's strides.
                moments[name] = torch.empty_like(parameter).copy_(value)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        k.removeprefix(prefix + "."): v for k, v in tensors.items() if k.startswith(prefix + ".")
    }

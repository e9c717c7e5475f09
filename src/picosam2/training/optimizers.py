"""Muon for the convolutions that mix channels, AdamW for everything else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from picosam2.training.config import TrainConfig


def make_optimizers(network: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The two of a network in channels-last memory, with the same learning rate.

    Biases and BatchNorm are not decayed.
    """
    parameters = list(network.parameters())
    mixing = [p for p in parameters if p.ndim == 4 and min(p.shape[:2]) > 1]
    others = [p for p in parameters if p.ndim != 4 or min(p.shape[:2]) == 1]
    groups = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0},
    ]
    return [make_muon(mixing, config), torch.optim.AdamW(groups, lr=config.lr, fused=True)]


def make_muon(kernels: list[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """PyTorch's Muon, which takes matrices only, on kernels seen as out × (height · width · in).

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) orthogonalises a matrix's
    momentum, whatever the order of its columns. ``match_rms_adamw`` scales its steps to AdamW's.

    Args:
        kernels: out×in×h×w parameters in channels-last memory.
        config: learning rate and weight decay.
    """
    # Views: a step on the matrices moves the kernels.
    matrices = [nn.Parameter(_rows(k.detach()).view(len(k), -1)) for k in kernels]

    def take_gradients(*_: object) -> None:
        for matrix, kernel in zip(matrices, kernels, strict=True):
            assert kernel.grad is not None
            matrix.grad = _rows(kernel.grad).flatten(1)

    muon = torch.optim.Muon(
        matrices, lr=config.lr, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    muon.register_step_pre_hook(take_gradients)
    return muon


def _rows(kernel: Tensor) -> Tensor:
    """Out×in×h×w → out×h×w×in."""
    return kernel.permute(0, 2, 3, 1)

"""Muon for the convolutions that mix channels, AdamW for everything else."""

from __future__ import annotations

import torch
from torch import nn

from picosam2.training.config import TrainConfig
from picosam2.training.muon import Muon


def make_optimizers(network: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The two of a network, with the same learning rate. Biases and BatchNorm are not decayed."""
    parameters = list(network.parameters())
    mixing = [p for p in parameters if p.ndim == 4 and min(p.shape[:2]) > 1]
    others = [p for p in parameters if p.ndim != 4 or min(p.shape[:2]) == 1]
    groups = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0},
    ]
    return [
        Muon(mixing, config.lr, config.weight_decay),
        torch.optim.AdamW(groups, lr=config.lr, fused=True),
    ]

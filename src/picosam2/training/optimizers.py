"""Muon for the convolutions that mix channels, AdamW for everything else and for encoders."""

from __future__ import annotations

import torch

from picosam2.model import PicoSAM2
from picosam2.training.config import TrainConfig
from picosam2.training.muon import Muon


def make_optimizers(network: PicoSAM2, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The two of a network. Biases and BatchNorm are not decayed.

    An encoder that may be pretrained gets ``config.encoder_rate`` of the learning rate (``rate`` of
    its groups), and AdamW alone: Muon's steps are as large for directions that hardly matter.
    """
    mixing, groups = [], []
    for in_encoder, rate in ((False, 1.0), (True, config.encoder_rate)):
        part = [p for n, p in network.named_parameters() if network.is_encoder(n) == in_encoder]
        if not in_encoder:
            mixing = [p for p in part if p.ndim == 4 and min(p.shape[:2]) > 1]
            part = [p for p in part if p.ndim != 4 or min(p.shape[:2]) == 1]
        for decayed, decay in ((True, config.weight_decay), (False, 0.0)):
            parameters = [p for p in part if (p.ndim > 1) == decayed]
            if parameters:
                groups.append({"params": parameters, "weight_decay": decay, "rate": rate})
    return [
        Muon([{"params": mixing, "rate": 1.0}], config.lr, config.weight_decay),
        torch.optim.AdamW(groups, lr=config.lr, fused=True),
    ]

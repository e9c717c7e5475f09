"""Earlier networks whose answers a training keeps while it learns something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from picosam2.errors import InputError
from picosam2.model import ModelConfig, PicoSAM2
from picosam2.training.corrections import answer
from picosam2.training.crops import Batch
from picosam2.training.sampler import Prompts
from picosam2.training.start import Start, ready


@dataclass(frozen=True)
class Retention:
    """Learning without forgetting (Li and Hoiem 2016, arXiv 1606.09282), of several networks.

    Half of the target of the crops on which no box is drawn is the mean of what these networks say:
    a run that teaches drawn boxes is to keep what earlier ones knew of clicks.

    Args:
        inits: a safetensors file or a name of the package's weights each.
    """

    inits: tuple[str, ...] = ()

    @property
    def digests(self) -> list[str | None]:
        """SHA-256 of each file, hexadecimal."""
        return [Start(init).digest for init in self.inits]

    def networks(self, config: ModelConfig, device: torch.device) -> list[PicoSAM2]:
        """The networks, ready to be asked.

        Raises:
            InputError: a file is missing or broken, or of another family than ``config``.
        """
        networks = []
        for init in self.inits:
            start = Start(init)
            if not start.is_trained or config.takes_prior:
                raise InputError(f"--retain {init}: needs trained weights, and not correcting ones")
            network = start.network(config)
            if network.config.family != config.family:
                family = network.config.family
                raise InputError(f"--retain {init} is a {family} network, not {config.family}")
            networks.append(ready(network, device))
        return networks


def retain(networks: Sequence[PicoSAM2], batch: Batch, prompts: Prompts) -> Batch:
    """The batch with what the networks say of its crops without a drawn box.

    Args:
        networks: that are asked; none leaves the batch as it is.
        batch: of B crops.
        prompts: of the same.
    """
    if not networks:
        return batch
    asked = np.flatnonzero(np.isinf(prompts.box).all(axis=1))
    if not len(asked):
        return batch
    rows = torch.from_numpy(asked).to(batch.images.device)
    images = batch.images[rows]
    answers = [answer(network, images).sigmoid() for network in networks]
    return replace(batch, retained=(torch.stack(answers).mean(dim=0), rows))

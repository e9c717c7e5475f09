"""What a run begins with: nothing, an encoder that has seen ImageNet, or trained weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from picosam2.checkpoint import load_weights
from picosam2.errors import InputError
from picosam2.model import ModelConfig, PicoSAM2, SmallNetwork, add_entrance, build
from picosam2.model.pretrained import load_encoder
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL, FAMILIES, UNTRAINED, weights_path

# Not in the wheel: 3 MB that only training reads.
ENCODER_FILE = Path(__file__).parents[3] / "assets" / "encoders" / "efficientnet-lite0.safetensors"


@dataclass(frozen=True)
class Start:
    """Where the first weights come from.

    Args:
        init: ``"random"``; ``"imagenet"``, an encoder with ImageNet's weights and the rest random;
            ``"small"`` or ``"paper"``, the package's weights; or a safetensors file.
        family: that the network must be of; None for any.
    """

    init: str = "random"
    family: str | None = None

    @cached_property
    def path(self) -> Path | None:
        """The file that is read; None for random weights.

        Raises:
            InputError: there is no such file.
        """
        if self.init == "random":
            return None
        if self.init == "imagenet":
            if not ENCODER_FILE.is_file():
                raise InputError(
                    f"--init imagenet: no {ENCODER_FILE}; a clone has it, "
                    "scripts/convert_encoder.py makes it; or begin with --init small"
                )
            return ENCODER_FILE
        named = self.init in (*FAMILIES, CORRECTING_MODEL)
        path = weights_path(self.init) if named else Path(self.init)
        if not path.is_file():
            raise InputError(
                f"no weights {self.init}: give a file, random, imagenet, "
                f"{', '.join((*FAMILIES, CORRECTING_MODEL))}"
            )
        return path

    @cached_property
    def digest(self) -> str | None:
        """SHA-256 of the file, hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path else None

    @property
    def is_trained(self) -> bool:
        """Whether these are all weights of a network."""
        return self.init not in UNTRAINED

    def config(self, wanted: ModelConfig) -> ModelConfig:
        """The network's configuration: that of the weights, or else the one that is wanted.

        Raises:
            InputError: the weights' file is missing or broken, or not for this network.
        """
        if self.init == "imagenet" and wanted.family != DEFAULT_MODEL:
            begin = "small" if wanted.takes_prior else "random"
            raise InputError(f"--init imagenet has no {wanted.family} network: give --init {begin}")
        config = self.network(wanted).config if self.is_trained else wanted
        if self.family not in (None, config.family):
            raise InputError(
                f"--init {self.init} is a {config.family} network, not {self.family}: "
                "leave out --family, or begin with other weights"
            )
        return config

    def network(self, config: ModelConfig) -> PicoSAM2:
        """The network with its first weights; random ones by PyTorch's seed.

        Trained weights decide what network it is, but a correcting one may begin with the small
        one's.

        Raises:
            InputError: the weights' file is missing or broken, or not for this network.
        """
        if self.is_trained and self.path:
            trained = load_weights(self.path)
            if config.takes_prior and isinstance(trained, SmallNetwork):
                return trained if trained.config.takes_prior else add_entrance(trained)
            # Boxes drawn on crops may be new to them.
            trained.config = replace(trained.config, marks_boxes=config.marks_boxes)
            return trained
        network = build(config)
        if self.path:
            load_encoder(network, self.path)
        return network


def first_look(device: torch.device) -> PicoSAM2:
    """The package's network whose answers a correcting network learns to correct."""
    return ready(load_weights(weights_path(DEFAULT_MODEL)), device)


def ready(network: PicoSAM2, device: torch.device) -> PicoSAM2:
    """The network on a device, to be asked and not trained."""
    return network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

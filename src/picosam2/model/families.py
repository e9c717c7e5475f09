"""The families of networks by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from picosam2.model.base import ModelConfig, PicoSAM2
from picosam2.model.correcting import CorrectingConfig, CorrectingNetwork
from picosam2.model.paper import PaperConfig, PaperNetwork
from picosam2.model.small import SmallConfig, SmallNetwork


@dataclass(frozen=True)
class Family:
    """An architecture.

    Args:
        config: its configuration; without arguments that of the shipped weights.
        network: what builds it from a configuration.
    """

    config: type[ModelConfig]
    network: type[PicoSAM2]


FAMILIES = {
    "paper": Family(PaperConfig, PaperNetwork),
    "small": Family(SmallConfig, SmallNetwork),
    "correcting": Family(CorrectingConfig, CorrectingNetwork),
}


def build(config: ModelConfig) -> PicoSAM2:
    """A network with random weights."""
    return FAMILIES[config.family].network(config)


def read_config(values: dict[str, Any]) -> ModelConfig:
    """Inverse of :meth:`ModelConfig.to_dict` (JSON turns tuples into lists).

    Raises:
        KeyError, TypeError, ValueError: another family or other fields.
    """
    fields: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k != "family"
    }
    # Before there were families, all were the paper's.
    return FAMILIES[str(values.get("family", "paper"))].config(**fields)

"""The correcting network: the small one with a second entrance, for what is known of the mask.

It answers what comes after the first look: further clicks, a mask to correct, the next frame. As in
interactive segmentation (RITM, Sofiiuk et al. 2021, arXiv 2102.06583), the mask before and the
clicks are planes beside the photograph's; that the crop is fitted to them is ours.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from picosam2.model.small import SmallConfig, SmallNetwork


@dataclass(frozen=True)
class CorrectingConfig(SmallConfig):
    """See :class:`SmallConfig`."""

    family: ClassVar[str] = "correcting"

    @property
    def takes_prior(self) -> bool:
        """See :class:`ModelConfig`."""
        return True

    @property
    def learns_marks(self) -> bool:
        """See :class:`ModelConfig`; a box is what the first look answers."""
        return False


class CorrectingNetwork(SmallNetwork):
    """See :class:`PicoSAM2` for what goes in and comes out."""

    def __init__(self, config: CorrectingConfig | None = None) -> None:
        super().__init__(config or CorrectingConfig())


@torch.no_grad()
def add_entrance(small: SmallNetwork) -> CorrectingNetwork:
    """A correcting network that answers as a small one does, whatever its prior says.

    Args:
        small: the weights to begin with.
    """
    network = CorrectingNetwork(CorrectingConfig(**asdict(small.config) | {"marks_boxes": False}))
    tensors = small.state_dict()
    for name, value in network.state_dict().items():
        if value.shape != tensors[name].shape:
            # The first convolutions: what the prior adds is 0 at first.
            wide = torch.zeros_like(value)
            wide[:, : tensors[name].shape[1]] = tensors[name]
            tensors[name] = wide
    network.load_state_dict(tensors)
    return network

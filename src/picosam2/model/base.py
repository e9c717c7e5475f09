"""What all networks have in common: crops in, mask logits and predicted IoU out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn


@dataclass(frozen=True)
class ModelConfig:
    """A network's family and its widths; each family adds its own fields.

    Attributes:
        family: the name of the architecture.
        marks_boxes: whether its weights know boxes that are drawn on their crops
            (``picosam2.marks``).
        mean: of red, green and blue in 0..1: what is subtracted from the network's input.
        std: of red, green and blue in 0..1: what the input is then divided by.
    """

    family: ClassVar[str]
    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]

    marks_boxes: bool = field(default=False, kw_only=True)

    @property
    def stride(self) -> int:
        """The crop's side must be a multiple of this many pixels."""
        raise NotImplementedError

    @property
    def takes_prior(self) -> bool:
        """Whether the network is also shown what is known of the mask before it answers."""
        return False

    @property
    def learns_marks(self) -> bool:
        """Whether training draws boxes on the network's crops (``picosam2.marks``)."""
        return True

    @property
    def predicts_iou(self) -> bool:
        """Whether the network also predicts the IoU of its own mask."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON-ready values; ``families.read_config`` reads it back."""
        return {"family": self.family, **asdict(self)}


class PicoSAM2(nn.Module):
    """A U-Net whose prompt is the place of the crop: the object is the one at its centre.

    All are fully convolutional: a side of 96 is the paper's, any multiple of ``config.stride``
    works.
    """

    config: ModelConfig

    def is_encoder(self, name: str) -> bool:  # noqa: ARG002
        """Whether a parameter, by its name, belongs to an encoder that may be pretrained."""
        return False

    def forward(self, x: Tensor, prior: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Segment the object at the centre of each crop, or the one that ``prior`` is about.

        Args:
            x: N×3×S×S float, RGB, normalised by ``config.mean`` and ``config.std``, S a multiple
                of ``config.stride``.
            prior: N×2×S×S float in −1..1, for networks that take one: the mask before (+1 object,
                −1 none, 0 unknown), and clicks (+1 on the object, −1 not on it, 0 elsewhere).

        Returns:
            Mask logits N×1×S×S (above 0 is object) and IoU logits N×1×1×1, whose sigmoid
            predicts the mask's IoU with the *whole* object (None where the network has none).
        """
        raise NotImplementedError

"""What a labelling run is, apart from its photographs."""

from __future__ import annotations

from dataclasses import dataclass

EXECUTORS = ("local", "ray")


@dataclass(frozen=True)
class LabelConfig:
    """How unknown objects are looked for.

    The thresholds are those of SAM 2's automatic mask generator, but for the stability: its 0.95
    drops most of what Hiera-Tiny finds, horses, towers and trains among them (docs/labelling.md).

    Args:
        grid: clicks a side, on photographs none of whose objects is known.
        min_predicted_iou: masks that the teacher trusts less are dropped.
        min_stability: masks that change more between two thresholds are dropped.
        max_overlap: of two masks with a higher IoU, the one with the better predicted IoU stays.
        batch: clicks decoded before looking which are still needed.
    """

    grid: int = 8
    min_predicted_iou: float = 0.8
    min_stability: float = 0.85
    max_overlap: float = 0.7
    batch: int = 8

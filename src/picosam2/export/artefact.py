"""What every exporter is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.prompt import CROP_SIZE
from picosam2.runtime import Runtime


@dataclass(frozen=True)
class Job:
    """What to export.

    Args:
        weights: safetensors.
        crops: N×96×96×3 uint8 RGB that set the ranges of INT8 activations; none for fp32.
        folder: where the files go; it is empty.
    """

    weights: Path
    crops: NDArray[np.uint8]
    folder: Path


@dataclass(frozen=True)
class Artefact:
    """An exported model.

    Args:
        model: the file that is deployed, in the job's folder.
        runtime: what runs it here, or the model it was compiled from.
        runs: what ``runtime`` runs, in words; empty where it is ``model`` itself.
        tensors: its image, logits and IoU logits, as ``tensor`` describes them.
        deployed: the files that a device needs, in the job's folder; ``model`` alone where empty.
        details: what else there is to say (quantisation, memory, versions of tools), JSON-ready.
    """

    model: Path
    runtime: Runtime
    tensors: list[dict[str, Any]]
    runs: str = ""
    deployed: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


def tensor(
    name: str,
    shape: list[int | str],
    layout: str,
    dtype: str = "float32",
    quantisation: tuple[float, int] | None = None,
) -> dict[str, Any]:
    """One tensor in a sidecar.

    Args:
        name: in the model.
        shape: its dimensions.
        layout: ``NCHW`` or ``NHWC``.
        dtype: its type.
        quantisation: scale and zero point: value = scale · (stored − zero point).
    """
    described: dict[str, Any] = {"name": name, "shape": shape, "layout": layout, "type": dtype}
    if quantisation is not None:
        described["scale"], described["zero_point"] = quantisation
    return described


def nchw_tensors(batch: int | str) -> list[dict[str, Any]]:
    """``tensors`` of models whose tensors are float32 and NCHW."""
    return [
        tensor("image", [batch, 3, CROP_SIZE, CROP_SIZE], "NCHW"),
        tensor("logits", [batch, 1, CROP_SIZE, CROP_SIZE], "NCHW"),
        tensor("iou_logits", [batch, 1, 1, 1], "NCHW"),
    ]

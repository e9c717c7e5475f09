"""What every exporter is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.prompt import CROP_SIZE
from picosam2.runtime import Corrector, Runtime
from picosam2.runtime.files import channels_first


@dataclass(frozen=True)
class Samples:
    """What a network is shown.

    Args:
        crops: N×96×96×3 uint8 RGB.
        prior: N×96×96×2 int8, what a correcting network is told beside; None for others.
    """

    crops: NDArray[np.uint8]
    prior: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.crops)

    def part(self, start: int, count: int) -> Samples:
        """``count`` of them."""
        rows = slice(start, start + count)
        return Samples(self.crops[rows], None if self.prior is None else self.prior[rows])

    @property
    def inputs(self) -> tuple[NDArray[Any], ...]:
        """The arguments of a runtime."""
        return (self.crops,) if self.prior is None else (self.crops, self.prior)

    def named(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        """One at a time, by the exported models' names: 1×C×96×96 float32."""
        for row in range(len(self)):
            arrays = zip(("image", "prior"), self.part(row, 1).inputs, strict=False)
            yield {name: channels_first(values) for name, values in arrays}


@dataclass(frozen=True)
class Job:
    """What to export.

    Args:
        weights: safetensors.
        samples: set the ranges of INT8 activations; one of them for fp32.
        folder: where the files go; it is empty.
    """

    weights: Path
    samples: Samples
    folder: Path


@dataclass(frozen=True)
class Artefact:
    """An exported model.

    Args:
        model: the file that is deployed, in the job's folder.
        runtime: what runs it here (a ``Runtime`` or a ``Corrector``), or the model it was compiled
            from.
        runs: what ``runtime`` runs, in words; empty where it is ``model`` itself.
        tensors: its image (and prior), logits and IoU logits, as ``tensor`` describes them.
        deployed: the files that a device needs, in the job's folder; ``model`` alone where empty.
        details: what else there is to say (quantisation, memory, versions of tools), JSON-ready.
    """

    model: Path
    runtime: Runtime | Corrector
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


def nchw_tensors(batch: int | str, prior: bool) -> list[dict[str, Any]]:
    """``tensors`` of models whose tensors are float32 and NCHW."""
    side = CROP_SIZE
    return [
        tensor("image", [batch, 3, side, side], "NCHW"),
        *([tensor("prior", [batch, 2, side, side], "NCHW")] if prior else []),
        tensor("logits", [batch, 1, CROP_SIZE, CROP_SIZE], "NCHW"),
        tensor("iou_logits", [batch, 1, 1, 1], "NCHW"),
    ]

"""A model file with the inputs that it is run with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Graph:
    """A model file and its inputs.

    Args:
        path: an ``.onnx`` or ``.ort`` file.
        inputs: shapes by name, all float32.
    """

    path: Path
    inputs: Mapping[str, tuple[int, ...]]

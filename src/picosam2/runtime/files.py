"""Reading model files, the same way for every engine."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.errors import EngineError, InputError

# Of an engine's own words.
LONGEST_REASON = 200


class FileRuntime:
    """A runtime of a file: copied and pickled as the file's name, and opened again there.

    Args:
        path: the model.
        threads: CPU threads of one call; 0 for all cores.

    Raises:
        InputError: the JSON file beside the model is damaged.
    """

    def __init__(self, path: str | Path, threads: int) -> None:
        self.path = Path(path)
        sidecar = read_sidecar(self.path)
        self.scores, self.marks_boxes = sidecar.scores, sidecar.marks_boxes
        self.threads = threads
        # Of engines whose sessions answer one thread at a time.
        self._one_at_a_time = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """What an engine raises while it runs, in one line: not all damage shows on opening.

        Raises:
            EngineError: the engine failed.
        """
        try:
            yield
        except (MemoryError, InputError):
            raise
        # The engines' own exceptions share no base class but Exception.
        except Exception as error:
            said = str(error).strip()[:LONGEST_REASON]
            raise EngineError(
                f"{self.path} opens but does not run, it may be damaged: {said}"
            ) from error

    def __reduce__(self) -> tuple[type, tuple[Path, int]]:
        return type(self), (self.path, self.threads)


def channels_first(pictures: NDArray[Any]) -> NDArray[np.float32]:
    """N×H×W×C of any type to N×C×H×W float32."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32)


def read_model(path: str | Path) -> bytes:
    """The content of a model file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the model {path}: {error.strerror}") from None


@dataclass(frozen=True)
class Sidecar:
    """What the JSON file beside a model says about its weights.

    Args:
        scores: how the predicted IoU is corrected (``picosam2.predictor.scores``).
        marks_boxes: whether boxes are drawn on their crops (``picosam2.marks``).
    """

    scores: dict[str, Any] = field(default_factory=dict)
    marks_boxes: bool = False


def read_sidecar(model: Path) -> Sidecar:
    """What is said about a model; without such a file, or where it is silent, nothing.

    Raises:
        InputError: the file is damaged.
    """
    sidecar = model.with_suffix(".json")
    if not sidecar.is_file():
        return Sidecar()
    try:
        said = json.loads(sidecar.read_bytes())
        scores, marks = said.get("scores"), said.get("marks_boxes")
    except (OSError, ValueError, AttributeError, RecursionError):
        raise InputError(f"{sidecar} is damaged: export the model again") from None
    return Sidecar(scores if isinstance(scores, dict) else {}, marks is True)

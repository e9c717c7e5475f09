"""picosam2 with less to do: a teacher without a network, few crops, a state every few steps.

Worker processes import the main module again, so that they get the same.
"""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Discs:
    """A teacher that answers with a disc around the prompt."""

    name = "discs"

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Look at the photograph's size."""
        self._size = image.shape[1::-1]

    def predict(self, coords: NDArray[Any], _: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Logits and predicted IoUs of three equal masks a prompt."""
        ys, xs = np.mgrid[:256, :256] + 0.5
        centres = coords.mean(axis=1) * 256 / np.array(self._size)
        distance = np.hypot(xs - centres[:, 0, None, None], ys - centres[:, 1, None, None])
        logits = np.repeat((40 - distance)[:, None], 3, axis=1).astype(np.float32)
        return logits, np.full((len(coords), 3), 0.9, np.float32)


def _set(name: str, value: Any) -> None:
    module, _, attribute = name.rpartition(".")
    setattr(importlib.import_module(f"picosam2.{module}"), attribute, value)


def _make_quick(verb: str) -> None:
    if verb == "label":
        _set("teacher.load_teacher", lambda _: Discs())
        if "ray" in sys.argv:
            # Its workers import picosam2 anew: they get the executor as it is here.
            executor = importlib.import_module("picosam2.labelling.executors.ray")
            executor.ray.cloudpickle.register_pickle_by_value(executor)
    elif verb == "export":
        _set("export.run.CALIBRATION_CROPS", 8)
    elif verb == "eval":
        _set("evaluation.cost.PHOTOGRAPHS", 1)
        # Memory is measured in a process of its own, once a segmenter.
        _set("evaluation.cost.in_own_process", lambda *_: None)
    elif verb == "train":
        from picosam2.training.loop import RunOptions

        _set(
            "training.run.RunOptions",
            functools.partial(RunOptions, log_every=5, save_every=5, validate_every=10),
        )


_make_quick(sys.argv[1])

if __name__ == "__main__":
    from picosam2.cli import main

    main(prog_name="picosam2")

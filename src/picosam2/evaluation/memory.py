"""The memory that a segmenter needs, measured in a process that does nothing else."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.evaluation.peers import open_segmenter
from picosam2.processes import worker_pool


def peak_of_a_click(name: str, image: NDArray[np.uint8], point: tuple[float, float]) -> int | None:
    """Open a segmenter, ask it for one click and say what this process has needed, in bytes."""
    segmenter = open_segmenter(name, threads=1)
    segmenter.set_image(image)
    segmenter.click(*point)
    return peak_resident_bytes()


def in_own_process(measure: Callable[..., int | None], *arguments: Any) -> int | None:
    """What a function finds in a new process that does nothing else.

    Args:
        measure: a function of a module.
        arguments: picklable.
    """
    with worker_pool(1, _nothing) as pool:
        return pool.submit(measure, *arguments).result()


def _nothing() -> None:
    """A worker needs no preparation."""


def peak_resident_bytes() -> int | None:
    """The most memory that this process has held; None where the system does not say."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage's figure, which begins with the parent's.
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.M)
        return int(found.group(1)) * 1024 if found else None
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None

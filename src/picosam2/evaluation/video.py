"""Protocol ``video``: an object followed from its prompt in the first frame, by DAVIS's measures.

J is the IoU of region, F that of boundaries; the first and the last frame do not count (Perazzi et
al. 2016, as DAVIS's own code has it).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from picosam2.data.problems import BrokenError
from picosam2.data.rle import decode_rle
from picosam2.data.segmentation import parse_segmentation
from picosam2.errors import InputError
from picosam2.evaluation.davis import boundary_f
from picosam2.masks import mask_extent, mask_iou, most_interior_pixel
from picosam2.video.frames import Frames, open_frames

VideoPrompt = Literal["mask", "click", "box"]
MASKS, VIDEO = "masks.json", "video.mp4"


class Follows(Protocol):
    """Follows one object through a video."""

    def start(self, frame: NDArray[np.uint8], prompt: dict[str, Any]) -> NDArray[np.bool_]:
        """The object's mask (H×W) in the first frame.

        Args:
            frame: H×W×3 uint8 RGB.
            prompt: ``mask``, ``points`` or ``box``, as ``Tracker.start`` takes them.
        """

    def update(self, frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Its mask in the next frame."""


@dataclass(frozen=True)
class Sequence:
    """A video with the true masks of its objects.

    Args:
        name: of its folder.
        frames: the video.
        masks: of each object, one H×W bool a frame.
    """

    name: str
    frames: Frames
    masks: dict[int, list[NDArray[np.bool_]]]


def find_sequences(folder: Path) -> list[Path]:
    """The sequences of a folder: each is one with ``video.mp4`` (or pictures) and ``masks.json``.

    Raises:
        InputError: there is none.
    """
    found = sorted(path.parent for path in folder.glob(f"*/{MASKS}"))
    if not found:
        raise InputError(f"{folder} has no SEQUENCE/{MASKS}: give a folder of videos with masks")
    return found


def read_sequence(folder: Path) -> Sequence:
    """One sequence.

    Raises:
        InputError: it is missing or damaged, or masks and frames do not agree.
    """
    frames = open_frames(folder / VIDEO if (folder / VIDEO).is_file() else folder / "images")
    try:
        content = json.loads((folder / MASKS).read_bytes())
        size = content["size"]
        masks = {
            int(name): [
                decode_rle(
                    parse_segmentation(
                        rle if isinstance(rle, dict) else {"size": size, "counts": rle},
                        *frames.size,
                    )
                )
                for rle in rles
            ]
            for name, rles in content["objects"].items()
        }
    except BrokenError as error:
        raise InputError(f"{folder / MASKS}: {error}") from None
    # A file of 200,000 brackets is too deep for the parser.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{folder / MASKS} cannot be read: {error!r}") from None
    if not masks or any(len(found) != len(frames) for found in masks.values()):
        raise InputError(f"{folder / MASKS} has not one mask for each of {len(frames)} frames")
    return Sequence(folder.name, frames, masks)


def sequences_digest(folder: Path) -> str:
    """SHA-256 of the sequences' names, videos and masks."""
    digest = hashlib.sha256()
    for path in find_sequences(folder):
        digest.update(path.name.encode())
        for file in sorted(path.rglob("*")):
            if file.is_file():
                digest.update(file.read_bytes())
    return digest.hexdigest()


def make_prompt(mask: NDArray[np.bool_], kind: VideoPrompt) -> dict[str, Any]:
    """What is said about an object in the first frame.

    Args:
        mask: H×W bool, not empty.
        kind: its mask, a click on its most interior pixel, or its box.
    """
    if kind == "mask":
        return {"mask": mask}
    if kind == "click":
        x, y = most_interior_pixel(mask)
        return {"points": [[x + 0.5, y + 0.5]]}
    return {"box": mask_extent(mask)}


def follow(
    follows: Follows, sequence: Sequence, kind: VideoPrompt
) -> Iterator[tuple[int, int, float, float, float]]:
    """Follow each object of a sequence.

    Yields:
        The object's id, the frame's number, J and F in 0..1, and the seconds that it took.
    """
    for name, truths in sequence.masks.items():
        for number, image in sequence.frames.play():
            start = perf_counter()
            if number == 0:
                mask = follows.start(image, make_prompt(truths[0], kind))
            else:
                mask = follows.update(image)
            seconds = perf_counter() - start
            truth = truths[number]
            yield name, number, mask_iou(mask, truth), boundary_f(mask, truth), seconds


def measure_videos(
    folder: Path,
    make: Callable[[], Follows],
    kind: VideoPrompt,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """J and F over the sequences of a folder.

    Args:
        folder: of sequences.
        make: makes what follows, anew for each sequence.
        kind: of the prompt.
        progress: called with a line a sequence.

    Returns:
        ``j``, ``f``, ``jf``: means over objects, in 0..1; ``ms``: median and 95th percentile of a
        frame's time; ``sequences``: the same of each object, with ``ious`` a frame.

    Raises:
        InputError: a sequence is missing or damaged.
    """
    sequences: dict[str, Any] = {}
    times: list[float] = []
    for path in find_sequences(folder):
        sequence = read_sequence(path)
        rows: dict[int, list[tuple[float, float]]] = {}
        for name, number, j, f, seconds in follow(make(), sequence, kind):
            rows.setdefault(name, []).append((j, f))
            if number:
                times.append(1000 * seconds)
        for name, values in rows.items():
            # Of a video of one or two frames there is no frame between.
            inner = np.array(values[1:-1] or values)
            label = sequence.name if len(rows) == 1 else f"{sequence.name}/{name}"
            j, f = (float(value) for value in inner.mean(axis=0))
            sequences[label] = {"j": j, "f": f, "jf": (j + f) / 2, "ious": [v[0] for v in values]}
            progress(f"{label}: J {100 * j:.1f}, F {100 * f:.1f}")
    figures = {
        key: float(np.mean([found[key] for found in sequences.values()]))
        for key in ("j", "f", "jf")
    }
    median, high = np.percentile(times, [50, 95]) if times else (0.0, 0.0)
    return figures | {"ms": {"median": median, "p95": high}, "sequences": sequences}

"""Objects followed through live frames: one in, one answer out, no look ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from picosam2.errors import InputError
from picosam2.following import State
from picosam2.pixels import array_to_rgb
from picosam2.predictor import Predictor
from picosam2.predictor.asking import Asking
from picosam2.predictor.drawing import draw_logits, draw_mask
from picosam2.predictor.prompts import GivenMask, read_prompts
from picosam2.predictor.readings import Before, Reading
from picosam2.predictor.sharing import ONE_BLAS_THREAD
from picosam2.prompt import OUTSIDE_LOGIT
from picosam2.video.config import TrackerConfig
from picosam2.video.follower import Follower, Look, Seen
from picosam2.video.motion import import_cv2
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL

# The id of the object that a tracker was started with.
STARTED = 1
# More than any logit: what was said about a frame goes before what was found.
SAID = 1000.0


@dataclass(frozen=True)
class Tracked:
    """One object in one frame.

    Args:
        mask: H×W bool; all False while the object is lost.
        score: predicted IoU in 0..1; 0 while it is lost.
        state: ``found``, ``unsure`` (the mask is doubtful) or ``lost``.
    """

    mask: NDArray[np.bool_]
    score: float
    state: State


@dataclass(frozen=True)
class TrackedFrame:
    """What is known of a frame.

    Args:
        number: of the frame, from 0 on.
        time: what ``update`` was told, in seconds; None where it was told nothing.
        objects: by id.
    """

    number: int
    time: float | None
    objects: dict[int, Tracked]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask of the object that was started with."""
        return self._first.mask

    @property
    def score(self) -> float:
        """Its predicted IoU."""
        return self._first.score

    @property
    def state(self) -> State:
        """Its state."""
        return self._first.state

    @property
    def _first(self) -> Tracked:
        if STARTED not in self.objects:
            raise InputError("the object that was started with is not followed: ask objects")
        return self.objects[STARTED]


class Tracker:
    """Follows any number of objects through frames that come one by one.

    Args:
        predictor: answers the prompts, and has the networks that follow.
        config: how objects are followed.

    Raises:
        ValueError: the predictor has no correcting network; or OpenCV, which estimates motion where
            ``config.rigid`` is above 0, is not installed.
    """

    def __init__(self, predictor: Predictor, config: TrackerConfig | None = None) -> None:
        if predictor.corrector is None:
            raise InputError(
                "following needs a correcting network: Tracker.from_pretrained has one"
            )
        self.predictor = predictor
        self.config = config or TrackerConfig()
        if self.config.rigid:
            # Asked for now, and not at the second frame.
            import_cv2()
        self._followers: dict[int, Follower] = {}
        self._readings: dict[int, Before | None] = {}
        # Whose masks in this frame a prompt made.
        self._said: set[int] = set()
        self._size: tuple[int, int] | None = None
        self._number = 0
        self._ids = 0

    @classmethod
    def from_pretrained(
        cls,
        weights: str | Path = DEFAULT_MODEL,
        *,
        engine: str | None = None,
        threads: int = 1,
        correcting: str | Path = CORRECTING_MODEL,
        config: TrackerConfig | None = None,
    ) -> Tracker:
        """A tracker with trained weights; see :meth:`picosam2.Predictor.from_pretrained`.

        One thread is the fastest: a frame is a crop or two, on which threads wait for each other.
        """
        predictor = Predictor.from_pretrained(
            weights, engine=engine, threads=threads, correcting=correcting
        )
        return cls(predictor, config)

    def start(
        self,
        frame: NDArray[Any],
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> TrackedFrame:
        """Forget everything, and follow the object of a prompt from this frame on.

        Args:
            frame: H×W×3 uint8 RGB.
            points: N×2, x and y in pixels.
            labels: N, 1 (on the object) or 0; None means 1.
            box: x0, y0, x1, y1 in pixels.
            mask: H×W bool, the object's mask; with points, which correct it.

        Raises:
            ValueError: as ``Predictor.predict``.
        """
        pixels = _pixels(frame)
        # What was followed before goes on where the prompt is refused.
        known, score = self.ask(pixels, points, labels, box, mask)
        self._followers, self._readings = {}, {}
        self._said.clear()
        self._size = pixels.shape[0], pixels.shape[1]
        self._number = self._ids = 0
        self._follow(pixels, known, score)
        return self.answer()

    def add(
        self,
        frame: NDArray[Any],
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> int:
        """Follow another object, which is in the frame of the last call; the arguments are theirs.

        Returns:
            Its id.

        Raises:
            ValueError: as ``Predictor.predict``.
        """
        pixels = self._check(frame)
        return self._follow(pixels, *self.ask(pixels, points, labels, box, mask))

    def correct(
        self,
        frame: NDArray[Any],
        object_id: int,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> TrackedFrame:
        """Say what an object is in the frame of the last call; the next frames follow from it.

        Clicks correct the mask that was found; a box or a mask replaces it.

        Raises:
            ValueError: as ``Predictor.predict``, or there is no such object.
        """
        self._known_id(object_id)
        pixels = self._check(frame)
        before = self._readings[object_id]
        if points is not None and box is None and mask is None and before is not None:
            (mask,) = draw_objects([before], (pixels.shape[0], pixels.shape[1]))
        known, score = self.ask(pixels, points, labels, box, mask)
        self._followers[object_id].correct(pixels, known, score)
        self._readings[object_id] = known
        self._said.add(object_id)
        return self.answer()

    def remove(self, object_id: int) -> None:
        """Follow an object no longer.

        Raises:
            ValueError: there is no such object.
        """
        self._known_id(object_id)
        del self._followers[object_id], self._readings[object_id]

    def update(self, frame: NDArray[Any], time: float | None = None) -> TrackedFrame:
        """The masks in the next frame.

        Args:
            frame: H×W×3 uint8 RGB, of the first frame's size.
            time: in seconds, for the answer.

        Raises:
            ValueError: the frame is of another size or type.
            RuntimeError: nothing is followed yet.
        """
        if self._size is None:
            raise RuntimeError("call start before update")
        pixels = self._check(frame)
        self._number += 1
        self._said.clear()
        with ONE_BLAS_THREAD:
            self._readings |= self.step(self._followers, pixels)
            return self.answer(time)

    def ask(
        self,
        pixels: NDArray[np.uint8],
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> tuple[Before, float]:
        """The mask that one object's prompts say, and its predicted IoU; a mask is taken as it is.

        Nothing is kept of it.

        Args:
            pixels: H×W×3 uint8.
            points: as of ``start``, as all the others.
            labels: of the points.
            box: x0, y0, x1, y1 in pixels.
            mask: H×W bool.

        Raises:
            ValueError: as ``Predictor.predict``.
        """
        prompts = read_prompts(points, labels, box, mask, True, pixels.shape[:2])
        if len(prompts) != 1:
            raise InputError("give the prompts of one object: call add for each of several")
        (prompt,) = prompts
        if isinstance(prompt.first, GivenMask) and prompt.first.is_final and not prompt.clicks:
            return prompt.first, 1.0
        predictor = self.predictor
        asking = Asking(
            predictor.runtime, predictor.corrector, predictor.config, predictor.scores, pixels, {}
        )
        with ONE_BLAS_THREAD:
            ((reading, *_),) = asking.answer([prompt], 1)
        return reading, reading.score

    def step(
        self, followers: Mapping[int, Follower], pixels: NDArray[np.uint8]
    ) -> dict[int, Reading | None]:
        """What is seen of each object in the next frame; None where it is lost.

        Args:
            followers: of the objects.
            pixels: H×W×3 uint8.
        """
        looks = {name: follower.looks(pixels) for name, follower in followers.items()}
        seen = iter(self._look([look for group in looks.values() for look in group]))
        return {
            name: followers[name].take(group, [next(seen) for _ in group])
            for name, group in looks.items()
        }

    def _check(self, frame: NDArray[Any]) -> NDArray[np.uint8]:
        pixels = _pixels(frame)
        size = pixels.shape[0], pixels.shape[1]
        if self._size is None:
            raise RuntimeError("call start first")
        if size != self._size:
            height, width = self._size
            raise InputError(
                f"the frame is {size[1]}×{size[0]}, those before {width}×{height}: call start again"
            )
        return pixels

    def _follow(self, pixels: NDArray[np.uint8], known: Before, score: float) -> int:
        self._ids += 1
        self._followers[self._ids] = Follower(pixels, known, score, self.config)
        self._readings[self._ids] = known
        self._said.add(self._ids)
        return self._ids

    def _known_id(self, object_id: int) -> None:
        if object_id not in self._followers:
            raise InputError(
                f"there is no object {object_id}: {list(self._followers)} are followed"
            )

    def _look(self, looks: Sequence[Look]) -> list[Seen]:
        """What the networks say, asked in one batch each."""
        if not looks:
            return []
        crops = np.stack([look.pixels for look in looks])
        logits, scores = self.predictor.runtime(crops)
        told = [index for index, look in enumerate(looks) if look.expected is not None]
        corrected: dict[int, tuple[NDArray[np.float32], float]] = {}
        if told:
            assert self.predictor.corrector is not None
            priors = [looks[index].prior for index in told]
            answers = self.predictor.corrector(crops[told], np.stack(priors))  # type: ignore[arg-type]
            corrected = {
                index: (answer, float(score))
                for index, answer, score in zip(told, *answers, strict=True)
            }
        return [
            Seen(logits[index], float(scores[index]), *corrected.get(index, (None, 0.0)))
            for index in range(len(looks))
        ]

    def answer(self, time: float | None = None) -> TrackedFrame:
        """What is known of the frame of the last call.

        Args:
            time: in seconds.

        Raises:
            RuntimeError: nothing is followed yet.
        """
        if self._size is None:
            raise RuntimeError("call start first")
        said = [name in self._said for name in self._readings]
        alone = said if self.config.non_overlap_masks else None
        masks = draw_objects(list(self._readings.values()), self._size, alone)
        objects = {
            name: Tracked(mask, follower.score if mask.any() else 0.0, follower.state)
            for (name, follower), mask in zip(self._followers.items(), masks, strict=True)
        }
        return TrackedFrame(self._number, time, objects)


def draw_objects(
    readings: Sequence[Before | None],
    size: tuple[int, int],
    said: Sequence[bool] | None = None,
) -> list[NDArray[np.bool_]]:
    """The masks of several objects, H×W bool each; the arguments are ``draw_object_logits``'s."""
    if said is not None and sum(reading is not None for reading in readings) > 1:
        return list(draw_object_logits(readings, size, said) > 0)
    masks = []
    for reading in readings:
        mask = np.zeros(size, bool)
        if reading is not None:
            draw_mask(reading, size, mask)
        masks.append(mask)
    return masks


def draw_object_logits(
    readings: Sequence[Before | None],
    size: tuple[int, int],
    said: Sequence[bool] | None = None,
) -> NDArray[np.float32]:
    """Logits of several objects.

    Args:
        readings: of each object; None where it is lost.
        size: H, W of the frame in pixels.
        said: which of them a prompt in this frame made. A pixel then belongs to one object: to what
            was said before what was found, to the one that is surest of it, of equals to the later
            one. None: masks may overlap.

    Returns:
        N×H×W float32; with ``said`` above 0 for one object at most.
    """
    logits = np.full((len(readings), *size), OUTSIDE_LOGIT, np.float32)
    for row, reading in enumerate(readings):
        if reading is not None:
            draw_logits(reading, size, logits[row])
    if said is None or len(readings) < 2:
        return logits
    best, most = np.zeros(size, np.intp), np.full(size, -np.inf, np.float32)
    for row, values in enumerate(logits):
        claim = np.where(values > 0, values + np.float32(SAID * said[row]), values)
        best[claim >= most] = row
        np.maximum(most, claim, out=most)
    for row, values in enumerate(logits):
        np.negative(values, where=(values > 0) & (best != row), out=values)
    return logits


def _pixels(frame: NDArray[Any]) -> NDArray[np.uint8]:
    if not isinstance(frame, np.ndarray):
        raise InputError(f"a frame must be an array, not {type(frame).__name__}")
    return array_to_rgb(frame)

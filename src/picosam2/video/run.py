"""``picosam2 track``: a video or a camera, its prompts, and what is written of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from picosam2.data.rle import decode_rle, encode_mask
from picosam2.data.schema import Rle
from picosam2.errors import InputError
from picosam2.levels import Range
from picosam2.predictor import Predictor
from picosam2.predictor.prompts import read_prompts
from picosam2.video.config import TrackerConfig
from picosam2.video.frames import Frames, import_av, open_frames
from picosam2.video.newest import Newest
from picosam2.video.predictor import VideoPredictor, VideoState
from picosam2.video.prompts import VideoPrompt, read_object_masks
from picosam2.video.tracker import TrackedFrame, Tracker
from picosam2.video.writing import (
    MOST_OBJECTS,
    cutout_codec,
    lost_sound,
    overlay_codec,
    write_coco,
    write_cutout,
    write_masks,
    write_overlay,
)

# As the numbered masks of DAVIS have it.
ONE_A_PIXEL = TrackerConfig(non_overlap_masks=True)


@dataclass(frozen=True)
class Outputs:
    """What is written: None for what is not.

    Args:
        overlay: the video with the objects tinted.
        masks: folder of PNG masks.
        json: COCO's JSON for videos.
        cutout: the objects on a transparent ground.

    Raises:
        InputError: a name's suffix is of no file that can be written.
    """

    overlay: Path | None = None
    masks: Path | None = None
    json: str | None = None
    cutout: Path | None = None

    def __post_init__(self) -> None:
        # Before hours of following, not after them.
        if self.overlay is not None:
            overlay_codec(self.overlay)
        if self.cutout is not None:
            cutout_codec(self.cutout)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        names = {"overlay": self.overlay, "masks": self.masks, "json": self.json}
        for name, path in (names | {"cutout": self.cutout}).items():
            if path is not None:
                yield name, str(path)


@dataclass
class Summary:
    """What came of a run.

    Args:
        outputs: that were written.
        frames: that were followed.
        found: of each object, the frames in which it was found.
        notes: what else a person should know.
    """

    outputs: Outputs
    frames: int = 0
    found: dict[int, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def lines(self, seconds: float) -> Iterator[str]:
        """For people."""
        for name, path in self.outputs:
            if path != "-":
                yield f"{name}: {path}"
        yield from self.notes
        each = ", ".join(f"object {name} in {count}" for name, count in self.found.items())
        yield f"{self.frames} frames ({each}) in {seconds:.1f} s"


def track_video(
    video: str,
    prompts: Sequence[VideoPrompt],
    outputs: Outputs,
    limit: int | None,
    value_range: Range | None,
    tools: dict[str, Any],
) -> Summary:
    """Follow objects through a file or a folder, and write what is wanted.

    A video that is damaged in the middle is followed to there, and a note says so.

    Args:
        video: the file or folder.
        prompts: what the objects are. Clicks on a later frame of an object correct the mask that is
            found there.
        outputs: what to write.
        limit: frames from the first prompt on; every prompt is about one of them.
        value_range: the values that become black and white.
        tools: of ``Predictor.from_pretrained``.

    Raises:
        InputError: the video, a prompt or an output is bad.
    """
    frames = open_frames(video, value_range)
    given = _read_given(prompts, frames)
    first, last = given[0].prompt.frame, given[-1].prompt.frame
    if limit is not None and last >= first + limit:
        raise InputError(f"frame {last} has a prompt: give --frames {last - first + 1} or more")
    if outputs.masks is not None:
        _check_numbers(given)
    predictor = VideoPredictor.from_pretrained(**tools, config=ONE_A_PIXEL)
    state = VideoState(frames)
    corrections = [one for one in given if _is_correction(one, given)]
    for one in given:
        if one not in corrections:
            _say_what(predictor, state, one)
    summary = Summary(outputs)
    _follow(predictor, state, first, corrections, limit, summary)
    masks = state.masks
    summary.frames = len({number for found in masks.values() for number in found})
    summary.found = {
        name: sum(state.scores.get(name, {}).get(number, 1.0) > 0 for number in found)
        for name, found in masks.items()
    }
    reached = max(number for found in masks.values() for number in found) + 1
    _write(state, _Part(frames, min(reached, len(frames))), outputs)
    if outputs.overlay is not None and (kind := lost_sound(frames, outputs.overlay)):
        name = outputs.overlay.name
        summary.notes.append(f"{name} cannot hold the sound ({kind}), a name with .mkv can")
    return summary


@dataclass(frozen=True, eq=False)
class _Given:
    """What is said about one object: a prompt, of whose picture its mask has been read."""

    object: int
    prompt: VideoPrompt
    mask: Rle | None = None


def _read_given(prompts: Sequence[VideoPrompt], frames: Frames) -> list[_Given]:
    """What is said about each object, by frame.

    Raises:
        InputError: there is no such frame, or a mask or a click is bad.
    """
    given = []
    for prompt in sorted(prompts, key=lambda prompt: prompt.frame):
        if not 0 <= prompt.frame < len(frames):
            raise InputError(f"there is no frame {prompt.frame}: the video has {len(frames)}")
        if prompt.mask is None:
            if prompt.points:
                # As the corrections of any mask: others are answered before anything is followed.
                anything = np.ones(frames.size, bool)
                read_prompts(
                    prompt.points, prompt.labels or None, None, anything, True, frames.size
                )
            given.append(_Given(1 if prompt.object is None else prompt.object, prompt))
            continue
        masks = read_object_masks(Path(prompt.mask), frames.size)
        numbers = masks if prompt.object is None else count(prompt.object)
        for number, mask in zip(numbers, masks.values(), strict=False):
            given.append(_Given(number, prompt, encode_mask(mask)))
    return given


def _check_numbers(given: Sequence[_Given]) -> None:
    for one in given:
        if not 1 <= one.object <= MOST_OBJECTS:
            raise InputError(
                f"--masks has objects 1 to {MOST_OBJECTS}, not {one.object}: give --json instead"
            )


def _is_correction(one: _Given, given: Sequence[_Given]) -> bool:
    """Whether it needs the mask that is found in its frame."""
    earlier = any(o.object == one.object and o.prompt.frame < one.prompt.frame for o in given)
    return earlier and one.mask is None and one.prompt.box is None


def _say_what(predictor: VideoPredictor, state: VideoState, given: _Given) -> None:
    prompt = given.prompt
    if given.mask is not None:
        predictor.add_new_mask(state, prompt.frame, given.object, decode_rle(given.mask))
        return
    points: list[tuple[float, float]] | None = list(prompt.points) or None
    labels = prompt.labels or [1] * len(prompt.points)
    predictor.add_new_points_or_box(
        state,
        prompt.frame,
        given.object,
        points=points,
        labels=labels if points else None,
        box=prompt.box,
    )


def _follow(
    predictor: VideoPredictor,
    state: VideoState,
    first: int,
    corrections: Sequence[_Given],
    limit: int | None,
    summary: Summary,
) -> None:
    most = None if limit is None else limit - 1
    total = len(state.frames) if limit is None else min(len(state.frames), limit)
    with tqdm(total=total, desc="following", unit="frame") as bar:
        ways = [_forwards(predictor, state, first, most, corrections, summary)]
        if first:
            ways.append(_backwards(predictor, state, first, most))
        for numbers in ways:
            try:
                for _ in numbers:
                    bar.update()
            except InputError as error:
                if not any(len(found) > 1 for found in state.masks.values()):
                    raise
                summary.notes.append(f"{error}: what came before it is written")


def _backwards(
    predictor: VideoPredictor, state: VideoState, first: int, most: int | None
) -> Iterator[int]:
    """The numbers of the frames before the first prompt."""
    for number, _, _ in predictor.propagate_in_video(state, first, most, reverse=True):
        if number != first:
            yield number


def _forwards(
    predictor: VideoPredictor,
    state: VideoState,
    first: int,
    most: int | None,
    corrections: Sequence[_Given],
    summary: Summary,
) -> Iterator[int]:
    """The numbers of the frames that are followed; corrections are given as theirs is reached."""
    for number, _, _ in predictor.propagate_in_video(state, first, most):
        for one in corrections:
            if one.prompt.frame == number:
                _correct(predictor, state, one, summary)
        yield number


def _correct(predictor: VideoPredictor, state: VideoState, given: _Given, summary: Summary) -> None:
    try:
        _say_what(predictor, state, given)
    except InputError as error:
        # The object may be lost there: what was followed to here is not thrown away.
        summary.notes.append(f"object {given.object} in frame {given.prompt.frame}: {error}")


def _write(state: VideoState, frames: Frames, outputs: Outputs) -> None:
    if outputs.masks is not None:
        write_masks(state.masks, frames, outputs.masks)
    if outputs.json is not None:
        scores = {
            name: float(np.mean([*state.scores.get(name, {}).values()] or [1.0]))
            for name in state.masks
        }
        write_coco(state.masks, scores, frames, outputs.json)
    for path, write in ((outputs.overlay, write_overlay), (outputs.cutout, write_cutout)):
        if path is not None:
            written = write(state.masks, frames, path)
            for _ in tqdm(written, desc=path.name, total=len(frames), unit="frame"):
                pass


class _Part(Frames):
    """The first frames of a video."""

    def __init__(self, frames: Frames, count: int) -> None:
        self.whole, self._count = frames, count
        self.size, self.rate, self.file = frames.size, frames.rate, frames.file
        self.begin, self.pixel_aspect = frames.begin, frames.pixel_aspect

    def __len__(self) -> int:
        return self._count

    def play(
        self, start: int = 0, reverse: bool = False
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """See ``Frames``."""
        for number, pixels in self.whole.play(start, reverse):
            if number >= self._count:
                return
            yield number, pixels
            if number == self._count - 1 and not reverse:
                return

    def time(self, number: int) -> float:
        """See ``Frames``."""
        return self.whole.time(number)


def track_camera(
    device: str,
    prompts: Sequence[VideoPrompt],
    outputs: Outputs,
    limit: int | None,
    tools: dict[str, Any],
) -> Summary:
    """Follow objects in a camera's picture until Ctrl-C; the newest frame wins.

    Args:
        device: as ``/dev/video0``.
        prompts: about the first frame.
        outputs: of these, the overlay.
        limit: frames.
        tools: of ``Predictor.from_pretrained``.

    Raises:
        InputError: the camera, a prompt or an output is bad.
    """
    wanted = {name for name, _ in outputs}
    if wanted - {"overlay"}:
        raise InputError("of a camera only --out is written: follow that file for the others")
    av = import_av()
    try:
        container = av.open(device, format="v4l2")
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"cannot open the camera {device}: {error}") from None
    with container:
        pictures = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        predictor = Predictor.from_pretrained(**tools)
        return follow_live(pictures, Tracker(predictor, ONE_A_PIXEL), prompts, outputs, limit)


def follow_live(
    pictures: Iterable[NDArray[np.uint8]],
    tracker: Tracker,
    prompts: Sequence[VideoPrompt],
    outputs: Outputs,
    limit: int | None,
) -> Summary:
    """Follow objects in frames that come by themselves, until they end, or Ctrl-C.

    Args:
        pictures: H×W×3 uint8 RGB; iterating waits for the next.
        tracker: what follows.
        prompts: about the first frame.
        outputs: of these, the overlay.
        limit: frames.

    Raises:
        InputError: a prompt is not about the first frame, or the output cannot be written.
    """
    if any(prompt.frame or prompt.mask is not None for prompt in prompts):
        raise InputError("a camera is followed from clicks or boxes in its first frame")
    live = _Live(pictures, tracker, prompts, limit)
    with contextlib.suppress(KeyboardInterrupt):
        if outputs.overlay is None:
            for _ in live.play():
                pass
        else:
            for _ in write_overlay(live.masks, live, outputs.overlay):
                pass
    summary = Summary(outputs, len(live.times), live.found)
    summary.notes.append(f"{live.dropped} frames came too fast and were dropped")
    return summary


class _Live(Frames):
    """Frames as they come, followed as they are played."""

    def __init__(
        self,
        pictures: Iterable[NDArray[np.uint8]],
        tracker: Tracker,
        prompts: Sequence[VideoPrompt],
        limit: int | None,
    ) -> None:
        self.masks: dict[int, dict[int, Rle]] = {}
        self.found: dict[int, int] = {}
        self.times: list[float] = []
        self._tracker, self._prompts = tracker, prompts
        self._newest = Newest(pictures)
        self._shown = islice(self._newest, limit)
        # The first frame tells the size.
        self._first = next(self._shown, None)
        if self._first is None:
            raise InputError("the camera gives no frame")
        self.size = self._first[2].shape[:2]

    @property
    def dropped(self) -> int:
        """Frames that nobody saw."""
        return self._newest.dropped

    def __len__(self) -> int:
        return len(self.times)

    def time(self, number: int) -> float:
        """See ``Frames``."""
        return self.times[number] - self.times[0]

    def play(
        self, start: int = 0, reverse: bool = False
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """See ``Frames``; only forwards, and once."""
        assert self._first is not None
        assert not start
        assert not reverse
        with tqdm(desc="following", unit="frame") as bar:
            for number, (_, time, pixels) in enumerate(chain([self._first], self._shown)):
                self.times.append(time)
                answer = self._begin(pixels) if number == 0 else self._tracker.update(pixels, time)
                for name, tracked in answer.objects.items():
                    self.masks.setdefault(name, {})[number] = encode_mask(tracked.mask)
                    self.found[name] = self.found.get(name, 0) + (tracked.state != "lost")
                bar.update()
                yield number, pixels
                # A camera may run for hours.
                for found in self.masks.values():
                    found.pop(number, None)

    def _begin(self, pixels: NDArray[np.uint8]) -> TrackedFrame:
        first, *others = self._prompts
        for prompt in (first, *others):
            begin = self._tracker.start if prompt is first else self._tracker.add
            begin(pixels, list(prompt.points) or None, prompt.labels or None, prompt.box)
        return self._tracker.answer()

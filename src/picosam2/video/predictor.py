"""SAM 2's video interface on the small networks: prompts on any frames, then propagation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from picosam2.data.rle import decode_rle, encode_mask, rle_area
from picosam2.data.schema import Rle
from picosam2.errors import InputError
from picosam2.predictor import Predictor
from picosam2.predictor.drawing import given_logits
from picosam2.predictor.prompts import GivenMask
from picosam2.predictor.readings import Before
from picosam2.predictor.sharing import ONE_BLAS_THREAD
from picosam2.video.config import TrackerConfig
from picosam2.video.follower import Follower
from picosam2.video.frames import Frames, open_frames
from picosam2.video.tracker import Tracker, draw_object_logits, draw_objects
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL


@dataclass
class VideoState:
    """What is known of a video.

    Attributes:
        frames: the video, which is read as it is needed.
        prompts: of each object and frame, its masks as prompts made them.
        points: of each object and frame, the clicks (x, y in pixels) and labels so far.
        boxes: of each object and frame, its box.
        bases: of each object and frame, the mask that its clicks correct, where there was one.
        masks: of each object and frame, the mask that was found.
        scores: of each object and frame, its predicted IoU in 0..1; 0 where it is lost.
    """

    frames: Frames
    prompts: dict[int, dict[int, Rle]] = field(default_factory=dict)
    points: dict[tuple[int, int], list[tuple[float, float, int]]] = field(default_factory=dict)
    boxes: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    bases: dict[tuple[int, int], Rle] = field(default_factory=dict)
    masks: dict[int, dict[int, Rle]] = field(default_factory=dict)
    scores: dict[int, dict[int, float]] = field(default_factory=dict)

    @property
    def obj_ids(self) -> list[int]:
        """The objects' ids, in the order in which they came."""
        return list(self.prompts)


class VideoPredictor:
    """Segments objects in videos, with the methods of SAM 2's video predictor.

    Args:
        predictor: answers the prompts, and has the networks that follow.
        config: how objects are followed.
    """

    def __init__(self, predictor: Predictor, config: TrackerConfig | None = None) -> None:
        self.tracker = Tracker(predictor, config)

    @classmethod
    def from_pretrained(
        cls,
        weights: str | Path = DEFAULT_MODEL,
        *,
        engine: str | None = None,
        threads: int = 1,
        correcting: str | Path = CORRECTING_MODEL,
        config: TrackerConfig | None = None,
    ) -> VideoPredictor:
        """With trained weights; see :meth:`picosam2.Predictor.from_pretrained`."""
        predictor = Predictor.from_pretrained(
            weights, engine=engine, threads=threads, correcting=correcting
        )
        return cls(predictor, config)

    def init_state(
        self,
        video_path: str | Path,
        offload_video_to_cpu: bool = False,  # noqa: ARG002
        offload_state_to_cpu: bool = False,  # noqa: ARG002
        async_loading_frames: bool = False,  # noqa: ARG002
    ) -> VideoState:
        """Open a video.

        Args:
            video_path: a video file, or a folder of pictures.
            offload_video_to_cpu: taken for SAM 2's sake; nothing is elsewhere.
            offload_state_to_cpu: the same.
            async_loading_frames: the same; frames are read as they are needed.

        Raises:
            ValueError: it cannot be read.
        """
        return VideoState(open_frames(video_path))

    def add_new_points_or_box(
        self,
        inference_state: VideoState,
        frame_idx: int,
        obj_id: int,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        clear_old_points: bool = True,
        normalize_coords: bool = True,
        box: ArrayLike | None = None,
    ) -> tuple[int, list[int], NDArray[np.float32]]:
        """Say where an object is in a frame, by clicks, a box or both.

        In a frame where the object was found already, or its mask was given, clicks correct that
        mask; a box replaces it.

        Args:
            inference_state: of ``init_state``.
            frame_idx: number of the frame, from 0 on.
            obj_id: any number of yours.
            points: N×2, or 1×N×2: x and y.
            labels: N, or 1×N: 1 (on the object) or 0.
            clear_old_points: False adds to the clicks that were given before in this frame; True
                begins again with what was known of it before these.
            normalize_coords: whether coordinates are pixels, as SAM 2 has it; else shares, 0..1.
            box: x0, y0, x1, y1.

        Returns:
            The frame's number, all objects' ids, and their logits in it: N×1×H×W float32.

        Raises:
            ValueError: as ``Predictor.predict``; points without labels; or a box that does not
                clear the old clicks.
        """
        if (points is None) != (labels is None):
            raise InputError("points and labels must be provided together")
        if points is None and box is None:
            raise InputError("at least one of points or box must be provided as input")
        if box is not None and not clear_old_points:
            raise InputError("a box comes before clicks: give clear_old_points=True")
        state, key = inference_state, (obj_id, frame_idx)
        height, width = state.frames.size
        scale = np.array([1.0, 1.0] if normalize_coords else [width, height])
        earlier = [] if clear_old_points else state.points.get(key, [])
        clicks = earlier + _read_clicks(points, labels, scale)
        corners = state.boxes.get(key) if box is None and not clear_old_points else None
        if box is not None:
            if np.size(box) != 4:
                raise InputError(f"box must be four numbers, not {np.size(box)}")
            corners = (np.asarray(box, np.float64).reshape(4) * np.tile(scale, 2)).tolist()
        base = None if corners is not None else self._base(state, obj_id, frame_idx)
        prompt: dict[str, Any] = {"box": corners}
        if clicks:
            prompt |= {"points": [c[:2] for c in clicks], "labels": [c[2] for c in clicks]}
            prompt |= {"mask": None if base is None else decode_rle(base)}
        image = state.frames.read(frame_idx)
        known, score = self.tracker.ask(image, **prompt)
        (mask,) = draw_objects([known], state.frames.size)
        self._forget_prompts(state, obj_id, frame_idx)
        state.points[key] = clicks
        if corners is not None:
            state.boxes[key] = corners
        if base is not None:
            state.bases[key] = base
        return self._take(state, frame_idx, obj_id, mask, score)

    def add_new_points(self, *args: Any, **kwargs: Any) -> tuple[int, list[int], Any]:
        """Deprecated, as in SAM 2: :meth:`add_new_points_or_box`."""
        return self.add_new_points_or_box(*args, **kwargs)

    def add_new_mask(
        self, inference_state: VideoState, frame_idx: int, obj_id: int, mask: ArrayLike
    ) -> tuple[int, list[int], NDArray[np.float32]]:
        """Give an object's mask in a frame.

        Args:
            inference_state: of ``init_state``.
            frame_idx: number of the frame, from 0 on.
            obj_id: any number of yours.
            mask: h×w bool, scaled to the video's size.

        Returns:
            As ``add_new_points_or_box``.

        Raises:
            ValueError: the mask is not h×w, or there is no such frame.
        """
        array = np.asarray(mask)
        if array.ndim != 2 or not array.size:
            raise InputError(f"mask must be h×w, not {'×'.join(map(str, array.shape))}")
        state = inference_state
        if not 0 <= frame_idx < len(state.frames):
            raise InputError(f"there is no frame {frame_idx}: the video has {len(state.frames)}")
        height, width = state.frames.size
        picture = Image.fromarray(array.astype(bool).astype(np.uint8) * np.uint8(255))
        resized = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)) > 127
        self._forget_prompts(state, obj_id, frame_idx)
        return self._take(state, frame_idx, obj_id, resized, 1.0)

    def propagate_in_video_preflight(self, inference_state: VideoState) -> None:
        """See that there is something to follow; ``propagate_in_video`` does it too.

        Raises:
            RuntimeError: no prompt was given.
        """
        if not any(inference_state.prompts.values()):
            raise RuntimeError("no points, boxes or masks are given: add some on a frame first")

    def propagate_in_video(
        self,
        inference_state: VideoState,
        start_frame_idx: int | None = None,
        max_frame_num_to_track: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[int, list[int], NDArray[np.float32]]]:
        """Follow all objects frame by frame, from their prompts or from what was found before.

        Prompts may be given while frames are followed: those of the frame that was yielded last
        correct its objects. An object that is not known in the first frame goes on from the frame
        before it (reverse: after it), as it is known from earlier calls; unknown there, too, it
        begins with its next prompt.

        Args:
            inference_state: of ``init_state``, with prompts.
            start_frame_idx: the first frame; the first one with a prompt when None. Nothing comes
                of one behind the last.
            max_frame_num_to_track: frames after the first one at most.
            reverse: backwards.

        Yields:
            The frame's number, all objects' ids, and their logits in it: N×1×H×W float32, below 0
            where an object is not there, or lost.

        Raises:
            RuntimeError: no prompt was given.
            ValueError: a frame cannot be read, or the first is below 0.
        """
        self.propagate_in_video_preflight(inference_state)
        state = inference_state
        count = len(state.frames)
        if start_frame_idx is None:
            start_frame_idx = min(number for found in state.prompts.values() for number in found)
        if start_frame_idx < 0:
            raise InputError(f"there is no frame {start_frame_idx}: they begin with 0")
        if start_frame_idx >= count or (reverse and start_frame_idx == 0):
            # As SAM 2 has it: there is nothing behind, or before.
            return
        most = count if max_frame_num_to_track is None else max_frame_num_to_track
        followers = self._go_on(state, start_frame_idx, reverse)
        for number, image in state.frames.play(start_frame_idx, reverse):
            if abs(number - start_frame_idx) > most:
                return
            with ONE_BLAS_THREAD:
                readings = self._step(state, followers, number, image)
                said = [number in state.prompts[name] for name in readings]
                alone = said if self.tracker.config.non_overlap_masks else None
                logits = draw_object_logits(list(readings.values()), state.frames.size, alone)
            for (name, reading), values in zip(readings.items(), logits, strict=True):
                # What is known of an object that is not followed yet stays.
                if name in followers:
                    state.masks.setdefault(name, {})[number] = encode_mask(values > 0)
                    score = followers[name].score if reading is not None else 0.0
                    state.scores.setdefault(name, {})[number] = score
            before = _prompts_of(state, number)
            yield number, list(readings), logits[:, None]
            for name, rle in _prompts_of(state, number).items():
                # Said about this frame meanwhile: the next ones follow from it.
                if name in followers and rle is not before.get(name):
                    followers[name].correct(image, GivenMask(decode_rle(rle)), 1.0)

    def clear_all_prompts_in_frame(
        self,
        inference_state: VideoState,
        frame_idx: int,
        obj_id: int,
        need_output: bool = True,
    ) -> tuple[int, list[int], NDArray[np.float32]] | None:
        """Forget what was said about an object in a frame.

        Returns:
            As ``add_new_points_or_box``; None without ``need_output``.
        """
        state = inference_state
        for kept in (state.prompts, state.masks, state.scores):
            kept.get(obj_id, {}).pop(frame_idx, None)
        self._forget_prompts(state, obj_id, frame_idx)
        return self._output(state, frame_idx) if need_output else None

    def remove_object(
        self,
        inference_state: VideoState,
        obj_id: int,
        strict: bool = False,
        need_output: bool = True,
    ) -> tuple[list[int], list[tuple[int, NDArray[np.float32]]]]:
        """Forget an object.

        Args:
            inference_state: of ``init_state``.
            obj_id: which.
            strict: whether it must be there.
            need_output: give the masks of the frames in which it had prompts.

        Returns:
            The ids that are left, and number and logits of these frames.

        Raises:
            ValueError: with ``strict``, there is no such object.
        """
        state = inference_state
        if obj_id not in state.prompts:
            if strict:
                raise InputError(f"there is no object {obj_id}: there are {state.obj_ids}")
            return state.obj_ids, []
        numbers = sorted(state.prompts.pop(obj_id))
        state.masks.pop(obj_id, None)
        state.scores.pop(obj_id, None)
        for _, number in [key for key in state.points | state.boxes if key[0] == obj_id]:
            self._forget_prompts(state, obj_id, number)
        shown = numbers if need_output and state.obj_ids else []
        return state.obj_ids, [(number, self._output(state, number)[2]) for number in shown]

    def reset_state(self, inference_state: VideoState) -> None:
        """Forget all objects and prompts."""
        for kept in ("prompts", "points", "boxes", "bases", "masks", "scores"):
            getattr(inference_state, kept).clear()

    def _base(self, state: VideoState, obj_id: int, frame_idx: int) -> Rle | None:
        """The mask that clicks in a frame correct; None where they begin from nothing."""
        key = obj_id, frame_idx
        if key in state.points or key in state.boxes:
            return state.bases.get(key)
        return _found(state, obj_id, frame_idx)

    def _forget_prompts(self, state: VideoState, obj_id: int, frame_idx: int) -> None:
        state.points.pop((obj_id, frame_idx), None)
        state.boxes.pop((obj_id, frame_idx), None)
        state.bases.pop((obj_id, frame_idx), None)

    def _go_on(self, state: VideoState, start: int, reverse: bool) -> dict[int, Follower]:
        """Followers of the objects that were found up to the first frame, and not in it."""
        followers = {}
        for name, prompts in state.prompts.items():
            if start in prompts or _found(state, name, start) is not None:
                continue
            # Back through the frames in which it was lost.
            number = start + 1 if reverse else start - 1
            while number in state.masks[name]:
                if (rle := _found(state, name, number)) is not None:
                    known, image = GivenMask(decode_rle(rle)), state.frames.read(number)
                    score = state.scores.get(name, {}).get(number, 1.0)
                    followers[name] = Follower(image, known, score, self.tracker.config)
                    break
                number += 1 if reverse else -1
        return followers

    def _take(
        self,
        state: VideoState,
        frame_idx: int,
        obj_id: int,
        mask: NDArray[np.bool_],
        score: float,
    ) -> tuple[int, list[int], NDArray[np.float32]]:
        rle = encode_mask(mask)
        state.prompts.setdefault(obj_id, {})[frame_idx] = rle
        state.masks.setdefault(obj_id, {})[frame_idx] = rle
        state.scores.setdefault(obj_id, {})[frame_idx] = score if mask.any() else 0.0
        if self.tracker.config.non_overlap_masks:
            # What was found of others gives way to what is said.
            for other, found in state.masks.items():
                if frame_idx in found and frame_idx not in state.prompts[other]:
                    found[frame_idx] = encode_mask(decode_rle(found[frame_idx]) & ~mask)
        return self._output(state, frame_idx)

    def _output(
        self, state: VideoState, frame_idx: int
    ) -> tuple[int, list[int], NDArray[np.float32]]:
        """What is known of a frame."""
        masks = np.zeros((len(state.obj_ids), 1, *state.frames.size), bool)
        for row, name in enumerate(state.obj_ids):
            if (rle := state.masks.get(name, {}).get(frame_idx)) is not None:
                masks[row, 0] = decode_rle(rle)
        return frame_idx, state.obj_ids, given_logits(masks)

    def _step(
        self,
        state: VideoState,
        followers: dict[int, Follower],
        number: int,
        image: NDArray[np.uint8],
    ) -> dict[int, Before | None]:
        """One frame of all objects."""
        for name in followers.keys() - state.prompts.keys():
            # Removed meanwhile.
            del followers[name]
        readings: dict[int, Before | None] = dict.fromkeys(state.obj_ids)
        readings |= self.tracker.step(followers, image)
        for name, prompts in state.prompts.items():
            rle = prompts.get(number)
            if name not in followers and rle is None:
                rle = _found(state, name, number)
            if rle is None:
                continue
            mask = GivenMask(decode_rle(rle))
            readings[name] = mask
            if name in followers:
                followers[name].correct(image, mask, 1.0)
            else:
                score = state.scores.get(name, {}).get(number, 1.0)
                followers[name] = Follower(image, mask, score, self.tracker.config)
        return readings


def _prompts_of(state: VideoState, number: int) -> dict[int, Rle]:
    """What prompts in a frame say, by object."""
    return {name: said[number] for name, said in state.prompts.items() if number in said}


def _found(state: VideoState, name: int, number: int) -> Rle | None:
    """An object's mask in a frame; None where there is none, or it is lost."""
    rle = state.masks.get(name, {}).get(number)
    return rle if rle is not None and rle_area(rle) else None


def _read_clicks(
    points: ArrayLike | None, labels: ArrayLike | None, scale: NDArray[np.float64]
) -> list[tuple[float, float, int]]:
    """Clicks in pixels, with their labels."""
    if points is None or not np.size(points):
        return []
    coords, marks = np.asarray(points, np.float64), np.asarray(labels).reshape(-1)
    if coords.shape[-1] != 2:
        raise InputError(f"points must be N×2, not {'×'.join(map(str, coords.shape))}")
    coords = coords.reshape(-1, 2) * scale
    if len(coords) != len(marks):
        raise InputError(f"{len(coords)} points need as many labels, not {len(marks)}")
    # Not int yet: 1.7 is to be refused, with what else is no label.
    return [(float(x), float(y), mark.item()) for (x, y), mark in zip(coords, marks, strict=True)]

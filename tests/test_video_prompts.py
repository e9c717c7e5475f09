"""What is said about objects of a video, in which order and frame, and what comes of it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from test_video import COUNT, pan, write_video

from picosam2 import InputError
from picosam2.masks import mask_iou
from picosam2.video import Tracker, TrackerConfig, VideoPredictor

pytest.importorskip("av")


@pytest.fixture(scope="module")
def video(cup, tmp_path_factory):
    """A video file, and the cup's masks."""
    frames, masks = pan(cup)
    path = tmp_path_factory.mktemp("prompts") / "cup.mp4"
    write_video(path, frames)
    return path, masks


@pytest.fixture(scope="module")
def predictor() -> VideoPredictor:
    return VideoPredictor.from_pretrained(threads=1)


def propagate(predictor, state, *args, **kwargs):
    """Masks by frame and id."""
    return {
        number: {name: values[0] > 0 for name, values in zip(ids, logits, strict=True)}
        for number, ids, logits in predictor.propagate_in_video(state, *args, **kwargs)
    }


def corner(mask):
    """A mask of 80×80 pixels in the upper left corner."""
    result = np.zeros_like(mask)
    result[5:85, 5:85] = True
    return result


def test_propagation_goes_on_from_where_it_ended(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    whole = propagate(predictor, state)
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    parts = propagate(predictor, state, 0, 5)
    parts |= propagate(predictor, state, 5, 4)
    # The frame after the last that was found.
    parts |= propagate(predictor, state, 10)
    assert list(parts) == list(range(COUNT))
    for number, found in parts.items():
        assert mask_iou(found[1], whole[number][1]) > 0.7, number


def test_propagation_backwards_goes_on_too(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    propagate(predictor, state)
    predictor.add_new_mask(state, 10, 2, corner(masks[0]))
    back = propagate(predictor, state, 10, reverse=True)
    for number in range(9, -1, -1):
        assert mask_iou(back[number][1], masks[number]) > 0.6, number
        assert back[number][2].any()


def test_a_correction_of_one_object_leaves_the_others(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    predictor.add_new_mask(state, 0, 2, corner(masks[0]))
    before = propagate(predictor, state)
    y, x = np.argwhere(before[8][2])[0]
    predictor.add_new_points_or_box(state, 8, 2, points=[[x + 0.5, y + 0.5]], labels=[0])
    after = propagate(predictor, state, 8)
    assert not after[8][2][y, x]
    for number in range(8, COUNT):
        assert mask_iou(after[number][1], before[number][1]) > 0.8, number


def test_prompts_are_taken_while_objects_are_followed(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    for number, ids, logits in predictor.propagate_in_video(state):
        if number == 4:
            predictor.add_new_mask(state, 4, 1, corner(masks[0]))
            predictor.add_new_mask(state, 5, 2, masks[5])
        elif number > 4:
            assert ids == [1, 2]
            assert (logits[0] > 0)[0, 150:].mean() < 0.1
            assert mask_iou(logits[1, 0] > 0, masks[number]) > 0.6


def test_an_object_that_comes_later_is_not_there_before(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    predictor.add_new_mask(state, 6, 2, corner(masks[0]))
    found = propagate(predictor, state, 3)
    assert not found[5][2].any()
    assert np.array_equal(found[6][2], corner(masks[0]))
    assert found[7][2].any()


def test_what_comes_later_is_not_looked_for_backwards(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 4, 1, masks[4])
    predictor.add_new_mask(state, 12, 2, corner(masks[0]))
    propagate(predictor, state, 4)
    assert not any(
        found[2].any() for found in propagate(predictor, state, 4, reverse=True).values()
    )


def test_a_prompt_says_how_sure_it_is_and_takes_its_pixels(predictor, video):
    path, masks = video
    alone = VideoPredictor(predictor.tracker.predictor, TrackerConfig(non_overlap_masks=True))
    state = alone.init_state(path)
    alone.add_new_mask(state, 0, 1, masks[0])
    alone.add_new_mask(state, 0, 2, corner(masks[0]))
    propagate(alone, state)
    inner = corner(masks[0]) | masks[6]
    _, _, logits = alone.add_new_mask(state, 6, 2, inner)
    assert np.array_equal(logits[1, 0] > 0, inner)
    assert not ((logits[0, 0] > 0) & inner).any()
    assert state.scores[2][6] == 1
    alone.add_new_mask(state, 7, 2, np.zeros_like(inner))
    assert state.scores[2][7] == 0


def test_further_clicks_correct_the_mask_that_was_given(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    outside = np.argwhere(~masks[0][:20, :60]) + 0.5
    for y, x in (outside[0], outside[-1]):
        _, _, logits = predictor.add_new_points_or_box(
            state, 0, 1, points=[[x, y]], labels=[1], clear_old_points=False
        )
        assert logits[0, 0, int(y), int(x)] > 0
        assert (logits[0, 0] > 0)[masks[0]].mean() > 0.98
    # Both clicks are taken back, the mask stays what they correct.
    inside = np.argwhere(masks[0])[100]
    _, _, logits = predictor.add_new_points_or_box(
        state, 0, 1, points=[inside[::-1] + 0.5], labels=[0]
    )
    y, x = outside[0].astype(int)
    assert not logits[0, 0, y, x] > 0
    assert not logits[0, 0, inside[0], inside[1]] > 0
    assert mask_iou(logits[0, 0] > 0, masks[0]) > 0.8


def test_clicks_begin_again_unless_they_are_added(predictor, video):
    path, _ = video
    fresh, state = predictor.init_state(path), predictor.init_state(path)
    there = {"points": [[15.0, 300.0]], "labels": [1]}
    predictor.add_new_points_or_box(state, 0, 1, points=[[200.0, 150.0]], labels=[1])
    _, _, again = predictor.add_new_points_or_box(state, 0, 1, **there)
    _, _, once = predictor.add_new_points_or_box(fresh, 0, 1, **there)
    assert np.array_equal(again, once)


def test_an_object_is_removed_while_others_are_followed(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    predictor.add_new_mask(state, 0, 2, corner(masks[0]))
    for number, ids, logits in predictor.propagate_in_video(state):
        assert len(ids) == len(logits)
        if number == 3:
            predictor.remove_object(state, 1)
        elif number > 3:
            assert ids == [2]
            assert mask_iou(logits[0, 0] > 0, masks[number]) < 0.2
    assert list(state.masks) == [2]
    assert predictor.remove_object(state, 2) == ([], [])
    _, ids, logits = predictor.clear_all_prompts_in_frame(state, 0, 1)
    assert (ids, logits.shape) == ([], (0, 1, *masks[0].shape))


def test_frames_that_are_not_there(predictor, video):
    path, masks = video
    state = predictor.init_state(path)
    predictor.add_new_mask(state, 0, 1, masks[0])
    assert list(predictor.propagate_in_video(state, COUNT)) == []
    with pytest.raises(InputError, match="no frame -1"):
        next(predictor.propagate_in_video(state, -1))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"points": [[9, 9]], "labels": [1.7]}, "labels"),
        ({"points": [[9, 9, 1]], "labels": [1]}, "points must be N×2, not 1×3"),
        ({"box": [1, 2, 3]}, "box must be four numbers, not 3"),
    ],
)
def test_wrong_shapes_are_named(predictor, video, said, message):
    state = predictor.init_state(video[0])
    with pytest.raises(InputError, match=message):
        predictor.add_new_points_or_box(state, 0, 1, **said)


def test_threads_share_a_predictor_each_with_its_own_state(predictor, video):
    path, _ = video
    boxes = {1: [83, 13, 319, 304], 2: [5, 5, 90, 90]}
    expected, wrong = {}, []

    def ask(name):
        state = predictor.init_state(path)
        for _ in range(4):
            _, _, logits = predictor.add_new_points_or_box(state, 0, name, box=boxes[name])
            if not np.array_equal(expected.setdefault(name, logits), logits):
                wrong.append(name)

    for name in boxes:
        ask(name)
    threads = [threading.Thread(target=ask, args=(name,)) for name in (1, 2, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("alone", [False, True])
def test_what_a_prompt_says_is_kept_where_objects_overlap(predictor, cup, alone):
    frames, masks = pan(cup)
    tracker = Tracker(predictor.tracker.predictor, TrackerConfig(non_overlap_masks=alone))
    tracker.start(frames[0], mask=masks[0])
    tracker.update(frames[1])
    rows, columns = np.nonzero(masks[1])
    inner = np.zeros_like(masks[1])
    inner[rows.min() + 60 : rows.min() + 120, columns.min() + 60 : columns.min() + 120] = True
    other = tracker.add(frames[1], mask=inner)
    answer = tracker.correct(frames[1], other, points=[[columns.min() + 70, rows.min() + 70]])
    assert answer.objects[other].mask[inner].mean() > 0.95
    shared = answer.objects[1].mask & answer.objects[other].mask
    assert shared.any() != alone


def test_what_is_followed_goes_on_where_another_start_is_refused(predictor, cup):
    frames, masks = pan(cup)
    tracker = Tracker(predictor.tracker.predictor)
    tracker.start(frames[0], mask=masks[0])
    with pytest.raises(InputError):
        tracker.start(frames[1], points=[[-5, 9]])
    assert mask_iou(tracker.update(frames[1]).mask, masks[1]) > 0.7
    other = tracker.add(frames[1], box=[5, 5, 90, 90])
    tracker.remove(1)
    answer = tracker.update(frames[2])
    assert list(answer.objects) == [other]
    with pytest.raises(InputError, match="started with is not followed"):
        _ = answer.mask


def test_an_object_that_is_not_there_is_not_found_in_anything(predictor, cup):
    frames, masks = pan(cup)
    nothing = np.zeros_like(masks[0])
    tracker = Tracker(predictor.tracker.predictor)
    tracker.start(frames[0], mask=nothing)
    assert all(tracker.update(frame).state == "lost" for frame in frames[1:])
    # One that was seen before may come back, and nothing else for it.
    tracker.start(frames[0], mask=masks[0])
    tracker.correct(frames[0], 1, mask=nothing)
    grass = np.full_like(frames[0], (60, 160, 60))
    assert all(tracker.update(grass).state == "lost" for _ in range(4))

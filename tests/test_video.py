"""Objects followed through videos, which are made of the bundled photographs."""

from __future__ import annotations

import ast
import inspect
import json
import threading
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from test_cli import assert_refused, run

from picosam2 import InputError, Predictor
from picosam2.camera.replay import play
from picosam2.data.rle import encode_mask, rle_json
from picosam2.evaluation.davis import boundary_f
from picosam2.evaluation.video import make_prompt, measure_videos
from picosam2.evaluation.video_peers import BoxFollows, MilFollows, TrackerFollows, follows
from picosam2.following import Patience
from picosam2.masks import mask_iou
from picosam2.video import Tracker, TrackerConfig, VideoPredictor
from picosam2.video.colours import Colours
from picosam2.video.frames import PictureFrames, _turns, open_frames
from picosam2.video.newest import Newest
from picosam2.video.prompts import VideoPrompt
from picosam2.video.run import Outputs, follow_live

av = pytest.importorskip("av")
WIDTH, HEIGHT, COUNT = 360, 320, 16
# Of the cup in the first frame.
CUP = "83,13,319,304"


def pan(cup, count: int = COUNT):
    """A camera that moves over the photograph: frames and true masks."""
    image, mask = cup
    frames, masks = [], []
    for number in range(count):
        top, left = 5 + 2 * number, 90 + 4 * number
        window = np.s_[top : top + HEIGHT, left : left + WIDTH]
        frames.append(image[window].copy())
        masks.append(mask[window].copy())
    return frames, masks


def write_video(
    path: Path, frames, rate: int = 10, times=None, sound: str | None = None, gop: int = 4, aspect=1
):
    """A video whose sound, if it has any, begins at 0 and is as long as its frames."""
    base = Fraction(1, rate if times is None else 1000)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "12", "g": str(gop)}
        stream.codec_context.time_base = base
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        layout, kind, form = ("mono", np.float32, "fltp")
        if sound == "pcm_s16le":
            layout, kind, form = ("stereo", np.int16, "s16")
        audio = out.add_stream(sound, rate=44100, layout=layout) if sound else None
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number if times is None else round(1000 * times[number])
            frame.time_base = base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if audio is not None:
            count = 44100 * len(frames) // rate * (2 if layout == "stereo" else 1)
            tone = np.sin(np.arange(count) / 20).astype(kind)[None]
            wave = av.AudioFrame.from_ndarray(tone, format=form, layout=layout)
            wave.sample_rate = 44100
            out.mux(audio.encode(wave))
            out.mux(audio.encode(None))


@pytest.fixture(scope="module")
def video(cup, tmp_path_factory):
    """A video file, its frames and its masks."""
    frames, masks = pan(cup)
    path = tmp_path_factory.mktemp("video") / "cup.mp4"
    write_video(path, frames, sound="aac")
    return path, frames, masks


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return Tracker.from_pretrained(threads=1)


def test_an_object_is_followed_by_its_mask_a_click_or_its_box(tracker, cup):
    frames, masks = pan(cup)
    for kind in ("mask", "click", "box"):
        answer = tracker.start(frames[0], **make_prompt(masks[0], kind))
        ious = [mask_iou(answer.mask, masks[0])]
        for number, frame in enumerate(frames[1:], start=1):
            answer = tracker.update(frame, time=number / 10)
            assert (answer.number, answer.time) == (number, number / 10)
            ious.append(mask_iou(answer.mask, masks[number]))
        assert np.mean(ious) > (0.4 if kind == "click" else 0.6), kind
        assert answer.state == "found"
        assert 0 < answer.score <= 1
        assert answer.mask.dtype == bool
        assert answer.mask.shape == (HEIGHT, WIDTH)


def test_a_hidden_object_is_lost_and_found_again(tracker, cup):
    """A grey board passes in front of it: nothing else is taken for it meanwhile."""
    frames, masks = pan((cup[0], cup[1]), 30)
    frames = [frames[0]] * 30
    hidden = range(8, 18)
    shown = [frame.copy() for frame in frames]
    for number in hidden:
        shown[number][:] = (120, 118, 116)
    tracker.start(shown[0], mask=masks[0])
    states, ious = ["found"], [1.0]
    for frame in shown[1:]:
        answer = tracker.update(frame)
        states.append(answer.state)
        ious.append(mask_iou(answer.mask, masks[0]))
        if answer.state == "lost":
            assert not answer.mask.any()
            assert answer.score == 0
    assert states[7] == "found"
    assert all(state == "lost" for state in states[12:18])
    assert states[-1] == "found"
    assert ious[-1] > 0.5


def test_several_objects_come_and_go_and_may_share_no_pixel(tracker, cup):
    frames, masks = pan(cup)
    tracker = Tracker(tracker.predictor, TrackerConfig(non_overlap_masks=True))
    tracker.start(frames[0], mask=masks[0])
    other = tracker.add(frames[0], box=[5, 5, 90, 90])
    for frame in frames[1:4]:
        answer = tracker.update(frame)
        assert list(answer.objects) == [1, other]
        assert not (answer.objects[1].mask & answer.objects[other].mask).any()
    tracker.remove(1)
    assert list(tracker.update(frames[4]).objects) == [other]
    with pytest.raises(ValueError, match=r"no object 1: \[2\] are followed"):
        tracker.remove(1)


def test_a_click_on_a_later_frame_changes_what_follows(tracker, cup):
    frames, masks = pan(cup)
    tracker.start(frames[0], mask=masks[0])
    before = tracker.update(frames[1])
    y, x = np.argwhere(before.mask)[len(np.argwhere(before.mask)) // 3]
    corrected = tracker.correct(frames[1], 1, points=[[x + 0.5, y + 0.5]], labels=[0])
    assert before.mask[y, x]
    assert not corrected.mask[y, x]
    fresh = np.zeros_like(masks[2])
    fresh[10:60, 10:60] = True
    tracker.correct(frames[1], 1, mask=fresh)
    assert tracker.update(frames[2]).mask[100:].sum() < masks[2].sum() / 4


def test_what_the_tracker_refuses(tracker, cup):
    frames, masks = pan(cup, 2)
    with pytest.raises(RuntimeError, match="call start before update"):
        Tracker(tracker.predictor).update(frames[0])
    tracker.start(frames[0], mask=masks[0])
    with pytest.raises(ValueError, match="the frame is 100×100, those before 360×320"):
        tracker.update(frames[1][:100, :100])
    with pytest.raises(ValueError, match="must be an array"):
        tracker.update("frame")
    with pytest.raises(ValueError, match="one object"):
        tracker.add(frames[0], box=[[0, 0, 9, 9], [9, 9, 20, 20]])
    with pytest.raises(ValueError, match="needs a correcting network"):
        Tracker(Predictor(tracker.predictor.runtime))


def test_patience_has_three_states():
    patience = Patience(lost_score=0.3, patience=2)
    assert patience.see(0.5, empty=False) == "found"
    assert patience.see(0.2, empty=False) == "unsure"
    assert patience.see(0.5, empty=False) == "found"
    assert patience.see(0.9, empty=True) == "unsure"
    assert patience.see(0.1, empty=False) == "lost"
    patience.find()
    assert patience.state == "found"


def test_colours_tell_an_object_from_its_surroundings():
    crop = np.zeros((96, 96, 3), np.uint8)
    crop[:] = (40, 160, 40)
    crop[30:60, 30:60] = (200, 30, 30)
    logits = np.full((96, 96), -5, np.float32)
    logits[30:60, 30:60] = 5
    colours = Colours.of(crop, logits)
    likely = colours.likelihood(crop)
    assert likely[40:50, 40:50].min() > 2
    assert likely[:20].max() < -2
    assert colours.likeness(colours) == pytest.approx(1)
    green = Colours.of(crop, -logits)
    assert colours.likeness(green) < 0.1
    assert colours.blend(green, 0.5).likeness(colours) > 0.6


# --- reading ---


def test_frames_are_read_in_both_directions_and_one_by_one(video):
    path, frames, _ = video
    played = open_frames(path)
    assert len(played) == COUNT
    assert played.size == (HEIGHT, WIDTH)
    forward = list(played.play())
    assert [number for number, _ in forward] == list(range(COUNT))
    for (_, pixels), true in zip(forward, frames, strict=True):
        assert np.abs(pixels.astype(int) - true).mean() < 4
    backward = list(played.play(COUNT - 1, reverse=True))
    assert [number for number, _ in backward] == list(range(COUNT))[::-1]
    for (number, pixels), (other, same) in zip(forward, backward[::-1], strict=True):
        assert number == other
        assert np.array_equal(pixels, same)
    assert np.array_equal(played.read(7), forward[7][1])
    assert [number for number, _ in played.play(13)] == [13, 14, 15]
    assert played.time(10) == pytest.approx(1)
    with pytest.raises(InputError, match="no frame 16: the video has 16"):
        played.read(16)


@pytest.mark.parametrize("name", ["cup.avi", "cup.h264"])
def test_frames_without_times_of_their_own_are_counted(tmp_path, cup, name):
    """AVI has no times of reordered frames, a bare stream (of a Raspberry Pi) none at all."""
    frames, _ = pan(cup, 11)
    write_video(tmp_path / name, frames)
    played = open_frames(tmp_path / name)
    forward = list(played.play())
    assert [number for number, _ in forward] == list(range(11))
    for (_, pixels), true in zip(forward, frames, strict=True):
        assert np.abs(pixels.astype(int) - true).mean() < 4
    backward = list(played.play(10, reverse=True))
    assert [number for number, _ in backward] == list(range(11))[::-1]
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(forward, backward[::-1], strict=True))
    assert np.array_equal(played.read(6), forward[6][1])
    assert (played.rate, played.time(10)) == (10, pytest.approx(1))
    assert sum(1 for _ in play(tmp_path / name)) == 11


def test_a_folder_of_pictures_is_a_video(tmp_path, cup):
    frames, _ = pan(cup, 11)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    played = open_frames(tmp_path)
    # By number: 10 comes after 9.
    assert all(np.array_equal(p, frames[n]) for n, p in played.play())
    # What macOS puts beside files on other disks.
    (tmp_path / "._0.png").write_bytes(b"macOS")
    assert len(open_frames(tmp_path)) == 11
    Image.fromarray(frames[0][:50]).save(tmp_path / "11.png")
    with pytest.raises(InputError, match=r"11\.png is 360×50, the first frame 360×320"):
        list(open_frames(tmp_path).play())


@pytest.mark.parametrize(
    "names",
    [
        ["frame_0.png", "frame_2.png", "frame_10.png", "frame_11.png"],
        ["clip1-9.jpg", "clip1-10.jpg", "clip2-1.jpg"],
        ["2.png", "03.png", "a.png", "b.tga", "b1.jfif", "b٣.jpe"],
    ],
)
def test_pictures_play_in_the_order_of_the_numbers_in_their_names(tmp_path, names):
    for name in names:
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    assert [path.name for path in PictureFrames(tmp_path).files] == names


def test_times_of_a_variable_frame_rate_are_kept(tmp_path, cup):
    frames, _ = pan(cup, 4)
    path = tmp_path / "variable.mp4"
    write_video(path, frames, times=[0, 0.1, 0.5, 0.6])
    result = run("track", path, "--box", CUP, "--out", tmp_path / "out.mp4")
    assert result.exit_code == 0, result.output
    with av.open(str(tmp_path / "out.mp4")) as out:
        times = [frame.time for frame in out.decode(video=0)]
    assert times == pytest.approx([0, 0.1, 0.5, 0.6], abs=0.002)


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2), (-180, 2)])
def test_rotation_is_applied(degrees, turns):
    assert _turns(SimpleNamespace(rotation=degrees)) == turns


def test_bad_videos_are_one_line(tmp_path, video, cup):
    path, frames, _ = video
    prompt = ("--point", "150,120")
    (tmp_path / "text.mp4").write_text("no video")
    assert_refused(run("track", tmp_path / "text.mp4", *prompt), "not a video that can be read")
    assert_refused(run("track", tmp_path / "none.mp4", *prompt), "no such file")
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        audio = out.add_stream("aac", rate=44100, layout="mono")
        wave = av.AudioFrame.from_ndarray(
            np.zeros((1, 44100), np.float32), format="fltp", layout="mono"
        )
        wave.sample_rate = 44100
        out.mux(audio.encode(wave))
        out.mux(audio.encode(None))
    assert_refused(run("track", tmp_path / "sound.mp4", *prompt), "only sound")
    (tmp_path / "empty").mkdir()
    assert_refused(run("track", tmp_path / "empty", *prompt), "has no images")
    numbers = np.zeros(frames[0].shape[:2], np.uint8)
    numbers[:9, :9], numbers[20:29, :9] = 1, 2
    Image.fromarray(numbers).save(tmp_path / "grey.png")
    for arguments, message in (
        ((), "one kind of prompt"),
        (("--not", "1,1"), "--not alone"),
        (("--point", "1,1", "--box", "1,1,9,9", "--box", "2,2,9,9"), "about one object"),
        ((*prompt, "--frame", "99"), "no frame 99"),
        (("--point", "999,1"), "outside the image"),
        (("--point", "1,999", "--point", "1,1"), "outside the image"),
        ((*prompt, "--cutout", tmp_path / "x.mp4"), "give a .webm or .mov"),
        ((*prompt, "--out", tmp_path / "x.avi"), "ends in .mp4"),
        (("--mask", tmp_path / "none.png"), "none.png"),
        (("--mask", tmp_path / "grey.png"), "grey.png has values up to 2: give 0 and 255"),
        (("--prompts", tmp_path / "none.json"), "cannot read the prompts"),
    ):
        assert_refused(run("track", path, *arguments), message)
    assert not list(tmp_path.glob("x.*"))
    assert frames


def test_what_cannot_be_written_or_reached_is_refused_before_anything_is_followed(
    tmp_path, video, monkeypatch
):
    monkeypatch.delattr(VideoPredictor, "propagate_in_video")
    later = [{"frame": 0, "points": [[150, 120]]}, {"frame": 9, "points": [[140, 110]]}]
    (tmp_path / "later.json").write_text(json.dumps(later))
    asked = ("track", video[0], "--prompts", tmp_path / "later.json")
    assert_refused(run(*asked, "--frames", "9"), "frame 9 has a prompt", "--frames 10 or more")
    assert_refused(run(*asked, "--out", tmp_path / "x.avi"), "ends in .mp4")
    assert_refused(run(*asked, "--cutout", tmp_path / "x.mp4"), "give a .webm or .mov")


def test_a_video_that_is_cut_off_is_followed_to_there(tmp_path, cup):
    frames, _ = pan(cup)
    whole = tmp_path / "whole.mkv"
    write_video(whole, frames)
    cut = tmp_path / "cut.mkv"
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    result = run("track", cut, "--box", CUP, "--masks", tmp_path / "masks")
    assert result.exit_code == 0, result.output
    assert 4 <= len(list((tmp_path / "masks").iterdir())) < COUNT


def test_frames_that_are_too_large_are_refused_undecoded(tmp_path, cup, monkeypatch):
    path = tmp_path / "v.mkv"
    write_video(path, pan(cup)[0])
    monkeypatch.setattr("picosam2.video.frames.MOST_PIXELS", WIDTH * HEIGHT - 1)
    assert_refused(run("track", path, "--box", CUP), "360×320; the limit is")


# --- writing ---


def test_everything_is_written(tmp_path, video):
    path, frames, masks = video
    result = run(
        "track", path, "--box", CUP, "--box", "5,5,90,90", "--frame", "3",
        "--out", tmp_path / "o.mp4", "--masks", tmp_path / "m",
        "--json", tmp_path / "j.json", "--cutout", tmp_path / "c.webm",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "16 frames (object 1 in 16" in result.stderr
    with av.open(str(tmp_path / "o.mp4")) as out:
        assert out.streams.video[0].codec_context.name == "h264"
        assert len(out.streams.audio) == 1
        assert sum(1 for _ in out.decode(video=0)) == COUNT
    with av.open(str(tmp_path / "o.mp4")) as out:
        assert sum(frame.samples for frame in out.decode(audio=0)) >= 44100
    with av.open(str(tmp_path / "c.webm")) as out:
        assert out.streams.video[0].metadata["alpha_mode"] == "1"
        assert sum(1 for _ in out.decode(video=0)) == COUNT
    pictures = sorted((tmp_path / "m").iterdir())
    assert [p.name for p in pictures] == [f"{number:05d}.png" for number in range(COUNT)]
    content = json.loads((tmp_path / "j.json").read_text())
    assert content["videos"][0]["length"] == COUNT
    first, second = content["annotations"]
    assert len(first["segmentations"]) == COUNT
    for number, picture in enumerate(pictures):
        with Image.open(picture) as image:
            assert image.mode == "P"
            ids = np.asarray(image)
        for name, annotation in ((1, first), (2, second)):
            rle = annotation["segmentations"][number]
            shown = np.zeros(ids.shape, bool) if rle is None else coco_mask.decode(rle) > 0
            assert np.array_equal(ids == name, shown)
    # Frames before the prompt are followed backwards.
    assert first["areas"][0] > 0
    assert masks
    assert frames


def heard(path: Path) -> list[float]:
    """When the packets of a file's sound begin, in seconds."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets = container.demux(container.streams.audio[0])
        return [float(packet.pts * packet.time_base) for packet in packets if packet.size]


@pytest.mark.parametrize("name", ["out.mp4", "out.webm", "out.mkv"])
def test_sound_that_a_file_cannot_hold_is_left_out_and_said(tmp_path, cup, name):
    path = tmp_path / "pcm.mkv"
    write_video(path, pan(cup, 3)[0], sound="pcm_s16le")
    result = run("track", path, "--box", CUP, "--out", tmp_path / name)
    assert result.exit_code == 0, result.output
    with av.open(str(tmp_path / name)) as out:
        assert out.streams.video[0].codec_context.name == ("vp9" if "webm" in name else "h264")
        assert sum(1 for _ in out.decode(video=0)) == 3
    left_out = f"{name} cannot hold the sound (pcm_s16le), a name with .mkv can" in result.stderr
    assert left_out == (name != "out.mkv") == (not heard(tmp_path / name))


def test_sound_stays_with_the_picture(tmp_path, cup):
    """Of a video that begins at 0.5 s, of which three frames are followed."""
    path, frames = tmp_path / "late.mkv", pan(cup, 12)[0]
    write_video(path, frames, times=[0.5 + number / 10 for number in range(12)], sound="aac")
    result = run("track", path, "--box", CUP, "--frames", 3, "--out", tmp_path / "out.mkv")
    assert result.exit_code == 0, result.output
    before, after = heard(path), heard(tmp_path / "out.mkv")
    expected = [time - 0.5 for time in before if 0.5 <= time < 0.8]
    assert after == pytest.approx(expected, abs=0.002)
    with av.open(str(tmp_path / "out.mkv")) as out:
        times = [frame.time for frame in out.decode(video=0)]
    assert times == pytest.approx([0, 0.1, 0.2], abs=0.002)


def test_pixels_that_are_not_square_stay_so(tmp_path, cup):
    path = tmp_path / "wide.mp4"
    write_video(path, pan(cup, 2)[0], aspect=Fraction(4, 3))
    for name in ("out.mp4", "out.mkv"):
        result = run("track", path, "--box", CUP, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
        with av.open(str(tmp_path / name)) as out:
            assert out.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize("name", ["out.mp4", "out.webm"])
def test_a_row_of_pixels_is_a_video(tmp_path, name):
    """Codecs want an even number of rows and columns: the last ones come twice."""
    (tmp_path / "row").mkdir()
    for number in range(2):
        Image.new("RGB", (41, 1)).save(tmp_path / "row" / f"{number}.png")
    result = run("track", tmp_path / "row", "--box", "0,0,20,1", "--out", tmp_path / name)
    assert result.exit_code == 0, result.output
    with av.open(str(tmp_path / name)) as out:
        frames = [frame.to_ndarray(format="rgb24") for frame in out.decode(video=0)]
    assert [frame.shape for frame in frames] == [(2, 42, 3)] * 2


def test_prompts_come_from_files(tmp_path, video):
    path, _, masks = video
    picture = Image.fromarray(masks[0].astype(np.uint8) * 2)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "first.png")
    prompts = [
        {"object": 7, "mask": "first.png"},
        {"object": 7.0, "frame": 4.0, "points": [[160, 100]]},
    ]
    # As some of Windows' programs write it.
    content = b"\xef\xbb\xbf" + json.dumps(prompts).encode()
    (tmp_path / "prompts.json").write_bytes(content)
    result = run("track", path, "--prompts", tmp_path / "prompts.json", "--json", "-")
    assert result.exit_code == 0, result.output
    (annotation,) = json.loads(result.stdout)["annotations"]
    assert annotation["id"] == 7
    same = run("track", path, "--mask", tmp_path / "first.png", "--json", "-", "--frames", 4)
    assert json.loads(same.stdout)["videos"][0]["length"] == 4


def test_clicks_on_a_later_frame_correct_what_is_found_there(tmp_path, video):
    """As docs/video.md has it: a negative click alone, which is no prompt without a mask."""
    path, _, _ = video
    box = {"object": 1, "box": [83, 13, 319, 304]}
    other = {"frame": 4, "object": 2, "box": [5, 5, 90, 90]}

    def follow(*prompts) -> list[list[np.ndarray]]:
        (tmp_path / "prompts.json").write_text(json.dumps(prompts))
        result = run("track", path, "--prompts", tmp_path / "prompts.json", "--json", "-")
        assert result.exit_code == 0, result.output
        return [
            [np.zeros(1) if rle is None else coco_mask.decode(rle) > 0 for rle in rles]
            for rles in (a["segmentations"] for a in json.loads(result.stdout)["annotations"])
        ]

    before, _ = follow(box, other)
    y, x = np.argwhere(before[6])[np.count_nonzero(before[6]) // 2].tolist()
    away = {"frame": 6, "object": 1, "points": [[x + 0.5, y + 0.5]], "labels": [0]}
    # In any order.
    after, second = follow(away, other, box)
    for number in range(COUNT):
        changed = not np.array_equal(before[number], after[number])
        assert changed == (number >= 6), number
    assert not after[6][y, x]
    assert [bool(mask.any()) for mask in second] == [False] * 4 + [True] * (COUNT - 4)
    # Before the first prompt of all it is followed backwards.
    (backwards,) = follow({"frame": 3, "box": [83, 13, 319, 304]})
    assert all(mask.any() for mask in backwards)


def test_a_correction_of_an_object_that_is_lost_there_is_left_out(tmp_path, cup):
    frames, _ = pan(cup, 4)
    for number, pixels in enumerate([*frames, *[np.full_like(frames[0], 118)] * 6]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    prompts = [
        {"box": [83, 13, 319, 304]},
        {"frame": 9, "points": [[150, 120]], "labels": [0]},
    ]
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))
    result = run(
        "track", tmp_path, "--prompts", tmp_path / "prompts.json", "--json", tmp_path / "j.json"
    )
    assert result.exit_code == 0, result.output
    assert "object 1 in frame 9: negative clicks alone" in result.stderr


def test_objects_keep_the_numbers_of_a_mask(tmp_path, video):
    path, _, masks = video
    numbers = masks[0].astype(np.uint8) * 3
    numbers[:40, :40] = 200
    picture = Image.fromarray(numbers)
    picture.putpalette([0] * 768)
    picture.save(tmp_path / "first.png")
    result = run(
        "track", path, "--mask", tmp_path / "first.png", "--frames", 2,
        "--masks", tmp_path / "m", "--json", "-",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert [a["id"] for a in json.loads(result.stdout)["annotations"]] == [3, 200]
    with Image.open(tmp_path / "m" / "00000.png") as image:
        assert np.array_equal(np.asarray(image), numbers)


def test_more_objects_than_a_png_has_numbers_are_refused_at_once(tmp_path, video):
    boxes = [part for number in range(256) for part in ("--box", f"{number},0,{number + 9},9")]
    refused = run("track", video[0], *boxes, "--masks", tmp_path / "m")
    assert_refused(refused, "--masks has objects 1 to 255, not 256: give --json instead")
    assert "following" not in refused.stderr


# --- live ---


def test_the_newest_frame_wins():
    ready = threading.Event()

    def source():
        for number in range(50):
            yield number
            if number == 0:
                ready.wait(5)

    newest = Newest(source())
    seen = []
    for number, moment, frame in newest:
        assert number == frame
        assert moment <= time.perf_counter()
        seen.append(number)
        ready.set()
        time.sleep(0.05)
    assert seen[0] == 0
    assert seen[-1] == 49
    assert len(seen) + newest.dropped == 50


def test_errors_of_a_live_source_are_told():
    def source():
        yield 1
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(Newest(source()))


def test_a_camera_is_followed_live(tmp_path, tracker, cup):
    frames, _ = pan(cup)

    def camera():
        for frame in frames:
            yield frame
            time.sleep(0.1)

    outputs = Outputs(overlay=tmp_path / "live.mp4")
    prompts = [VideoPrompt(box=(83, 13, 319, 304))]
    summary = follow_live(camera(), tracker, prompts, outputs, limit=5)
    assert summary.frames == 5
    with av.open(str(tmp_path / "live.mp4")) as out:
        assert sum(1 for _ in out.decode(video=0)) == 5


# --- SAM 2's interface ---

# Of the source of the PyPI package sam2, 1.1.0: sam2/sam2_video_predictor.py (Apache-2.0).
SAM2 = """
class SAM2VideoPredictor:
    def init_state(self, video_path, offload_video_to_cpu=False, offload_state_to_cpu=False,
                   async_loading_frames=False): ...
    def add_new_points_or_box(self, inference_state, frame_idx, obj_id, points=None, labels=None,
                              clear_old_points=True, normalize_coords=True, box=None): ...
    def add_new_mask(self, inference_state, frame_idx, obj_id, mask): ...
    def propagate_in_video_preflight(self, inference_state): ...
    def propagate_in_video(self, inference_state, start_frame_idx=None,
                           max_frame_num_to_track=None, reverse=False): ...
    def clear_all_prompts_in_frame(self, inference_state, frame_idx, obj_id, need_output=True): ...
    def reset_state(self, inference_state): ...
    def remove_object(self, inference_state, obj_id, strict=False, need_output=True): ...
"""


def test_names_and_defaults_are_those_of_sam2():
    (interface,) = ast.parse(SAM2).body
    for theirs in interface.body:
        parameters = list(
            inspect.signature(getattr(VideoPredictor, theirs.name)).parameters.values()
        )
        assert [p.name for p in parameters] == [a.arg for a in theirs.args.args]
        defaults = [p.default for p in parameters if p.default is not inspect.Parameter.empty]
        assert defaults == [ast.literal_eval(default) for default in theirs.args.defaults]


def test_the_loop_of_sam2s_documents_runs(video):
    """With another import and constructor, as its README and notebook have it."""
    video_dir, _, masks = video
    predictor = VideoPredictor.from_pretrained(threads=1)

    inference_state = predictor.init_state(video_path=str(video_dir))
    predictor.reset_state(inference_state)
    ann_frame_idx, ann_obj_id = 0, 1
    points = np.array([[190, 170], [150, 60]], dtype=np.float32)
    labels = np.array([1, 1], np.int32)
    _, out_obj_ids, out_mask_logits = predictor.add_new_points_or_box(
        inference_state=inference_state,
        frame_idx=ann_frame_idx,
        obj_id=ann_obj_id,
        points=points,
        labels=labels,
    )
    assert out_obj_ids == [1]
    assert out_mask_logits.shape == (1, 1, HEIGHT, WIDTH)
    video_segments = {}
    for out_frame_idx, out_obj_ids, out_mask_logits in predictor.propagate_in_video(
        inference_state
    ):
        video_segments[out_frame_idx] = {
            out_obj_id: (out_mask_logits[i] > 0.0) for i, out_obj_id in enumerate(out_obj_ids)
        }
    assert list(video_segments) == list(range(COUNT))
    assert out_mask_logits.dtype == np.float32
    ious = [mask_iou(video_segments[n][1][0], masks[n]) for n in range(COUNT)]
    assert np.mean(ious) > 0.6


def test_prompts_on_any_frame_backwards_and_for_several_objects(video):
    path, _, masks = video
    alone = TrackerConfig(non_overlap_masks=True)
    predictor = VideoPredictor.from_pretrained(threads=1, config=alone)
    state = predictor.init_state(path)
    with pytest.raises(RuntimeError, match="no points, boxes or masks"):
        next(predictor.propagate_in_video(state))
    predictor.add_new_mask(state, 8, 5, masks[8])
    predictor.add_new_points_or_box(state, 10, 6, box=[5, 5, 90, 90])
    found = {number: logits for number, _, logits in predictor.propagate_in_video(state)}
    assert list(found) == list(range(8, COUNT))
    assert not (found[9][1] > 0).any()
    assert (found[10][1] > 0).any()
    assert not ((found[12] > 0).sum(axis=0) > 1).any()
    back = [n for n, _, _ in predictor.propagate_in_video(state, 8, 3, reverse=True)]
    assert back == [8, 7, 6, 5]
    # A click corrects what was found.
    before = found[12][0, 0] > 0
    y, x = np.argwhere(before)[len(np.argwhere(before)) // 2]
    _, ids, after = predictor.add_new_points_or_box(state, 12, 5, [[x, y]], [0])
    assert ids == [5, 6]
    assert not after[0, 0, y, x] > 0
    _, _, more = predictor.add_new_points_or_box(
        state, 12, 5, [[x + 0.5, y + 9.5]], [1], clear_old_points=False
    )
    assert not more[0, 0, y, x] > 0
    assert more[0, 0, y + 9, x] > 0
    _, _, cleared = predictor.clear_all_prompts_in_frame(state, 12, 5)
    assert not (cleared[0] > 0).any()
    ids, frames = predictor.remove_object(state, 6)
    assert ids == [5]
    assert [number for number, _ in frames] == [10]
    assert predictor.remove_object(state, 6) == ([5], [])
    with pytest.raises(ValueError, match="no object 6"):
        predictor.remove_object(state, 6, strict=True)
    # A frame and object keep little.
    kept = sum(len(rle.counts) for rle in state.masks[5].values())
    assert kept / len(state.masks[5]) < 10_000
    predictor.reset_state(state)
    assert state.obj_ids == []


def test_wrong_prompts_of_a_video_say_what_is_wrong(video):
    predictor = VideoPredictor.from_pretrained(threads=1)
    state = predictor.init_state(video[0])
    for message, arguments in {
        "together": {"points": [[1, 1]]},
        "at least one": {},
        "clear_old_points": {"box": [1, 1, 9, 9], "clear_old_points": False},
        "as many labels": {"points": [[1, 1]], "labels": [1, 1]},
        "outside": {"points": [[999, 1]], "labels": [1]},
    }.items():
        with pytest.raises(ValueError, match=message):
            predictor.add_new_points_or_box(state, 0, 1, **arguments)
    with pytest.raises(ValueError, match="h×w"):
        predictor.add_new_mask(state, 0, 1, np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match="no frame 99"):
        predictor.add_new_mask(state, 99, 1, np.ones((3, 3)))
    assert state.obj_ids == []


# --- measured ---


def test_f_is_the_share_of_boundaries_that_meet():
    mask = np.zeros((100, 100), bool)
    mask[20:60, 20:60] = True
    assert boundary_f(mask, mask) == 1
    moved = np.roll(mask, 1, axis=1)
    # 0.8 % of the diagonal is 1.13 pixels: two are within reach.
    assert boundary_f(np.roll(mask, 2, axis=1), mask) == 1
    assert boundary_f(moved, mask) == 1
    half = mask.copy()
    half[40:] = False
    assert 0.6 < boundary_f(half, mask) < 0.85
    empty = np.zeros_like(mask)
    assert boundary_f(empty, empty) == 1
    assert boundary_f(empty, mask) == 0
    assert boundary_f(np.roll(mask, 30, axis=(0, 1)), mask) < 0.2


def test_videos_with_masks_are_measured(tmp_path, video):
    pytest.importorskip("cv2")
    path, _, masks = video
    folder = tmp_path / "videos" / "cup"
    folder.mkdir(parents=True)
    (folder / "video.mp4").write_bytes(path.read_bytes())
    counts = [rle_json(encode_mask(mask))["counts"] for mask in masks]
    (folder / "masks.json").write_text(
        json.dumps({"size": [HEIGHT, WIDTH], "objects": {"1": counts}})
    )
    result = run(
        "eval", "--protocol", "video", "--data", folder.parent, "--prompt", "box",
        "--threads", 1, "--peers", "boxed,mil", "--json", tmp_path / "v.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "v.json").read_text())
    assert list(report["followers"]) == ["tracker", "boxed", "mil"]
    for found in report["followers"].values():
        assert found["jf"] == pytest.approx((found["j"] + found["f"]) / 2)
        assert len(found["sequences"]["cup"]["ious"]) == COUNT
    assert report["followers"]["tracker"]["j"] > 0.5

    class Perfect:
        def start(self, frame, prompt):
            self.number = 0
            return masks[0]

        def update(self, frame):
            self.number += 1
            return masks[self.number]

    assert measure_videos(folder.parent, Perfect, "mask")["jf"] == 1
    (folder / "masks.json").write_text("{}")
    assert_refused(
        run("eval", "--protocol", "video", "--data", folder.parent), "masks.json cannot be read"
    )
    assert_refused(run("eval", "--protocol", "video", "--data", tmp_path / "no"), "has no SEQUENCE")
    assert isinstance(follows("boxed", "small", 1)(), BoxFollows)
    assert issubclass(MilFollows, BoxFollows)
    assert TrackerFollows


def test_configurations_say_how_an_object_is_followed(cup):
    frames, masks = pan(cup, 3)
    wide = Tracker.from_pretrained(threads=1, config=TrackerConfig(margin=3, colours=0))
    wide.start(frames[0], mask=masks[0])
    assert wide.update(frames[1]).mask.any()

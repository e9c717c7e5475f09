"""Segmentation in the sensor: regions inside the frame, one a frame, and the driver's own calls."""

from __future__ import annotations

import json
import math
import shutil
import sys
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from fake_picamera2 import install
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_cli import assert_refused, run

from picosam2.camera.base import SETTLE_FRAMES
from picosam2.camera.loop import drive
from picosam2.camera.replay import ReplayCamera, play, scale_region
from picosam2.camera.session import Session, SessionConfig
from picosam2.camera.stills import CameraSegmenter
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.masks import mask_iou
from picosam2.predictor import PredictorConfig
from picosam2.prompt import Crop, Region, cut, fit_region, paste_mask, paste_region

PHOTO = EXAMPLES / "images" / "coffee.jpg"
CUP = (300.0, 120.0)
FRAME = (300, 400)


@pytest.fixture(scope="module")
def coffee() -> np.ndarray:
    """A cup on a saucer, 400×600×3."""
    return load_image(PHOTO)


@pytest.fixture(scope="module")
def cup(examples) -> np.ndarray:
    """The outline of the cup, 400×600."""
    photograph = examples.photographs[2]
    return photograph.mask(next(a for a in photograph.objects if a.id == 10))


# Regions


@st.composite
def prompts(draw) -> tuple[Crop, tuple[int, int]]:
    """A crop around any point of any frame."""
    height, width = draw(st.integers(1, 4000)), draw(st.integers(1, 4000))
    x = draw(st.floats(0, width, exclude_max=True))
    y = draw(st.floats(0, height, exclude_max=True))
    return Crop(x, y, draw(st.floats(0.5, 10_000))), (height, width)


@given(prompts(), st.sampled_from([0.0, 0.125, 0.5, 1.0]))
def test_a_region_lies_inside_the_frame_and_contains_the_prompt(prompt, keep):
    crop, (height, width) = prompt
    region = fit_region(crop, (height, width), keep)
    assert all(isinstance(n, int) for n in (region.x, region.y, region.width, region.height))
    assert 0 <= region.x <= crop.x < region.x + region.width <= width
    assert 0 <= region.y <= crop.y < region.y + region.height <= height
    assert max(region.width, region.height) <= max(1, round(crop.side))


@given(prompts())
def test_a_narrowed_region_keeps_the_prompt_at_its_centre(prompt):
    """To the pixel that rounding costs."""
    crop, size = prompt
    region = fit_region(crop, size, keep=0.0)
    assert abs(region.x + region.width / 2 - crop.x) <= 1
    assert abs(region.y + region.height / 2 - crop.y) <= 1


def test_a_region_inside_the_frame_is_the_square_of_the_crop():
    assert fit_region(Crop(100, 80, 96), FRAME) == Region(52, 32, 96, 96)


def test_at_the_border_only_the_side_across_it_is_narrowed():
    assert fit_region(Crop(30, 150, 96), FRAME) == Region(0, 102, 60, 96)


def test_a_prompt_on_the_very_border_still_gets_an_eighth():
    assert fit_region(Crop(0, 150, 96), FRAME) == Region(0, 102, 12, 96)


def test_a_crop_larger_than_the_frame_becomes_the_frame():
    assert fit_region(Crop(200, 150, 5000), FRAME) == Region(0, 0, 400, 300)


def test_a_square_region_is_pasted_as_its_crop():
    logits = np.random.default_rng(0).normal(size=(96, 96)).astype(np.float32)
    pasted = paste_region(logits, Region(40, 30, 150, 150), FRAME)
    assert np.array_equal(pasted > 0, paste_mask(logits, Crop(115, 105, 150), FRAME))


def test_a_region_is_pasted_where_it_was_cut():
    """Also a narrow one: a bright rectangle, seen through the region, comes back in its place."""
    frame = np.zeros((*FRAME, 3), np.uint8)
    frame[90:170, 8:40] = 255
    region = Region(0, 60, 60, 150)
    logits = scale_region(frame, region)[..., 0].astype(np.float32) - 127.5
    assert mask_iou(paste_region(logits, region, FRAME) > 0, frame[..., 0] > 0) > 0.97
    half = paste_region(logits, region, FRAME, (150, 200)) > 0
    assert mask_iou(half, frame[::2, ::2, 0] > 0) > 0.95


def test_the_replayed_sensor_scales_as_the_network_was_trained(coffee):
    """Inside the region; at its edge the sensor sees nothing beyond."""
    seen = scale_region(coffee, Region(200, 50, 240, 240)).astype(int)
    trained = cut(coffee, Crop(320, 170, 240)).astype(int)
    assert np.abs(seen - trained)[2:-2, 2:-2].max() <= 2


# Sessions: what the camera reads is made up


def disc(region: Region, x: float, y: float, radius: float) -> np.ndarray:
    """The perfect network's answer to a region of a frame with one disc."""
    columns = region.x + (np.arange(96) + 0.5) * region.width / 96
    rows = region.y + (np.arange(96) + 0.5) * region.height / 96
    distance = np.hypot(columns[None, :] - x, rows[:, None] - y)
    return np.where(distance < radius, 5.0, -5.0).astype(np.float32)


def settle(session: Session, logits: np.ndarray, score: float) -> None:
    """The same answer until the session trusts it."""
    for _ in range(SETTLE_FRAMES):
        session.read(logits, score)


def good_score(region: Region, radius: float) -> float:
    """Of a region whose side is 1.6 times the disc's most, less the further it is from that."""
    return 0.8 - 0.2 * abs(math.log2(region.width / (3.2 * radius)))


def found_session(config: SessionConfig | None = None) -> Session:
    """A session that has found a disc of radius 30 at the centre of the frame, and stands still."""
    session = Session(FRAME, point=(200, 150), config=config)
    while not session.steady:
        region = session.region
        settle(session, disc(region, 200, 150, 30), good_score(region, 30))
    return session


def test_a_click_is_answered_at_its_scales_one_region_after_the_other():
    session = Session(FRAME, point=(200, 150))
    looked = []
    for score in (0.2, 0.7, 0.6, 0.3):
        looked.append(session.region)
        assert session.status == "searching"
        settle(session, disc(session.region, 200, 150, 30), score)
    sides = [max(24, 400 * share) for share in PredictorConfig.click_sides]
    assert [region.width for region in looked] == [round(side) for side in sides]
    assert session.status == "found"
    assert session.answer.region == looked[1]


def test_frames_before_the_region_is_in_force_are_not_trusted():
    """They may be answers to the region before."""
    session = Session(FRAME, box=(150, 100, 250, 200))
    for _ in range(SETTLE_FRAMES - 1):
        session.read(np.full((96, 96), 5, np.float32), 1.0)
        assert session.answer is None
    session.read(disc(session.region, 200, 150, 45), 0.9)
    assert session.answer.score == 0.9


def test_a_box_is_one_region_with_padding():
    session = Session(FRAME, box=(150, 100, 250, 200))
    assert session.region == Region(140, 90, 120, 120)


def test_a_still_object_leaves_the_region_where_it_is():
    session = found_session()
    region = session.region
    assert region.width == 96
    for _ in range(100):
        session.read(disc(session.region, 200, 150, 30), 0.8)
        assert session.region == region
    assert session.steady


def test_the_region_follows_a_moving_object():
    """Along an ellipse, at up to a fifth of its radius a frame; each answer comes late."""
    session = found_session()
    camera = [session.region] * SETTLE_FRAMES
    for frame in range(150):
        x = 200 + 90 * math.sin(frame / 15)
        y = 150 + 60 * (1 - math.cos(frame / 15))
        camera = [*camera[1:], session.region]
        session.read(disc(camera[0], x, y, 30), good_score(camera[0], 30))
        assert session.status == "found"
        region = session.region
        centre = region.x + region.width / 2, region.y + region.height / 2
        assert math.dist(centre, (x, y)) < 60


def test_a_larger_region_is_tried_where_the_mask_is_cut_off_and_kept_where_it_scores_more():
    session = found_session()
    before = session.region
    settle(session, disc(before, 200, 150, 80), 0.6)
    assert session.region.width > before.width
    settle(session, disc(session.region, 200, 150, 80), 0.7)
    assert session.answer.score == 0.7
    assert session.answer.region.width > before.width


def test_a_larger_region_that_scores_less_is_left_again():
    session = found_session()
    before = session.region
    settle(session, disc(before, 200, 150, 80), 0.6)
    settle(session, disc(session.region, 200, 150, 80), 0.5)
    assert session.region == before
    settle(session, disc(before, 200, 150, 80), 0.6)
    assert session.region == before, "for a while"
    session.read(disc(before, 200, 150, 80), 0.6 - 2 * SessionConfig.fall)
    assert session.region.width > before.width, "until the mask gets worse"


def test_a_box_bounds_the_mask_and_holds_the_region():
    """A disc that reaches far beyond the box is cut to it as long as the region is the box's."""
    session = Session(FRAME, box=(170, 120, 230, 180))
    before = session.region
    for _ in range(3):
        settle(session, disc(before, 200, 150, 80), 0.6)
        assert session.region == before
        x0, y0, x1, y1 = session.answer.extent
        assert min(x0 - 165, y0 - 115, 235 - x1, 185 - y1) > 0


def test_a_box_told_the_size_another_region_must_score_clearly_more():
    """A mask much smaller than its box: a smaller region is tried, and left again."""
    session = Session(FRAME, box=(150, 100, 250, 200))
    before = session.region
    settle(session, disc(before, 200, 150, 10), 0.6)
    assert session.region.width < before.width
    settle(session, disc(session.region, 200, 150, 10), 0.65)
    assert session.region == before


def test_a_region_that_does_not_follow_stays():
    session = found_session(SessionConfig(follow=False))
    region = session.answer.region
    for x in range(200, 230):
        session.read(disc(session.region, x, 150, 30), 0.8)
        assert session.region == region


@pytest.mark.parametrize("score", [0.05, 0.9], ids=["unsure", "empty"])
def test_an_object_that_vanishes_is_lost_searched_and_found_again(score):
    session = found_session()
    nothing = np.full((96, 96), -5, np.float32)
    logits = disc(session.region, 200, 150, 30) if score < 0.1 else nothing
    for _ in range(SessionConfig.patience):
        assert session.answer is not None
        session.read(logits, score)
    assert session.status == "lost"
    assert session.answer is None
    # Around the last place, scale after scale, again and again.
    looked = set()
    for _ in range(8 * SETTLE_FRAMES):
        looked.add(session.region.width)
        assert abs(session.region.x + session.region.width / 2 - 200) < 10
        session.read(nothing, 0.9)
    assert len(looked) == 4
    assert session.status == "lost"
    while session.status == "lost":
        settle(session, disc(session.region, 200, 150, 30), 0.8)
    assert session.status == "found"


def test_only_the_part_under_the_click_is_kept():
    session = Session(FRAME, point=(200, 150), config=SessionConfig(click_sides=(0.48,)))
    logits = np.maximum(disc(session.region, 200, 150, 20), disc(session.region, 260, 150, 15))
    settle(session, logits, 0.8)
    x0, _, x1, _ = session.answer.extent
    assert x0 == pytest.approx(180, abs=3)
    assert x1 == pytest.approx(220, abs=3)


@pytest.mark.parametrize(
    "prompt",
    [{"point": (400, 10)}, {"point": (-1, 10)}, {"box": (10, 10, 10, 20)}, {}],
    ids=["right of the frame", "left of it", "empty box", "none"],
)
def test_a_prompt_outside_the_frame_is_refused(prompt):
    with pytest.raises(InputError):
        Session(FRAME, **prompt)


# Replay


def test_a_region_comes_into_force_as_late_as_in_the_sensor(coffee, predictor):
    camera = ReplayCamera(repeat(coffee), predictor.runtime)
    before = camera.read().logits
    camera.set_region(Region(200, 20, 200, 200))
    for _ in range(SETTLE_FRAMES - 1):
        assert np.array_equal(camera.read().logits, before)
    assert not np.array_equal(camera.read().logits, before)


@pytest.mark.parametrize("delay", range(SETTLE_FRAMES))
def test_whatever_the_delay_the_mask_is_read_from_its_own_region(coffee, predictor, delay):
    camera = ReplayCamera(repeat(coffee, 30), predictor.runtime, delay)
    session = Session(camera.frame_size, point=CUP)
    for _ in drive(camera, session):
        pass
    patient = ReplayCamera(repeat(coffee), predictor.runtime, 0)
    patient.set_region(session.answer.region)
    # The session changes signs, of what is not connected to the object.
    assert np.array_equal(np.abs(session.answer.logits), np.abs(patient.read().logits))


def test_the_region_follows_an_object_through_a_video(coffee, cup, predictor):
    """The camera stands, then pans over the table and back, 2 pixels a frame."""
    pan = list(range(0, 120, 2))
    starts = [0] * 20 + pan + pan[::-1]
    means = {}
    for follow in (True, False):
        frames = [coffee[:, start : start + 480] for start in starts]
        camera = ReplayCamera(frames, predictor.runtime)
        config = SessionConfig(follow=follow)
        session = Session(camera.frame_size, point=CUP, config=config)
        ious = []
        for start, _ in zip(starts, drive(camera, session), strict=True):
            answer = session.answer
            if answer is not None:
                mask = paste_region(answer.logits, answer.region, camera.frame_size) > 0
                ious.append(mask_iou(mask, cup[:, start : start + 480]))
        means[follow] = np.mean(ious)
    assert means[True] > 0.6
    assert means[True] > means[False] + 0.1


def test_a_video_file_is_played(tmp_path, coffee, predictor):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "pan.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (600, 400))
    for _ in range(4):
        video.write(cv2.cvtColor(coffee, cv2.COLOR_RGB2BGR))
    video.release()
    frames = list(play(path))
    assert len(frames) == 4
    assert np.abs(frames[0].astype(int) - coffee).mean() < 5
    assert len(list(play(path, 2))) == 2


def test_the_camera_segments_stills_as_the_predictor_does(coffee, cup, predictor):
    camera = CameraSegmenter(predictor.runtime, SessionConfig(follow=False))
    camera.set_image(coffee)
    predictor.set_image(coffee)
    theirs, _, _ = predictor.predict([CUP], multimask_output=False)
    ours, score = camera.click(*CUP)
    assert mask_iou(ours, cup) > mask_iou(theirs[0], cup) - 0.05
    assert 0 < score <= 1


def test_the_camera_masks_boxes_of_the_examples_as_well_as_the_predictor(examples, predictor):
    camera = CameraSegmenter(predictor.runtime, SessionConfig(follow=False))
    ours, theirs = [], []
    for photograph in examples:
        camera.set_image(photograph.load())
        predictor.set_image(photograph.load())
        for annotation in photograph.objects:
            left, top, width, height = annotation.bbox
            box = (left, top, left + width, top + height)
            truth = photograph.mask(annotation)
            ours.append(mask_iou(camera.box(box)[0], truth))
            masks, _, _ = predictor.predict(box=box, multimask_output=False)
            theirs.append(mask_iou(masks[0], truth))
    assert np.mean(ours) > np.mean(theirs) - 0.05


# The command line


def test_a_replay_writes_overlays_and_a_line_a_frame(tmp_path):
    result = run(
        "camera", "--replay", PHOTO, "--point", "300,120", "--frames", "14", "--out", tmp_path / "o"
    )
    assert result.exit_code == 0, result.output
    assert "14 frames, 3 with the object found" in result.stderr
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert names == {f"{n:06d}.png" for n in range(1, 15)} | {"frames.jsonl"}
    assert Image.open(tmp_path / "o" / "000014.png").size == (600, 400)
    lines = [
        json.loads(line) for line in (tmp_path / "o" / "frames.jsonl").read_text().split("\n")[:-1]
    ]
    assert [line["frame"] for line in lines] == list(range(1, 15))
    assert lines[0] | {"region": None} == {
        "frame": 1, "status": "searching", "region": None, "score": None, "bbox": None,
        "inference_ms": None, "dsp_ms": None,
    }  # fmt: skip
    x, y, width, height = lines[-1]["bbox"]
    assert lines[-1]["status"] == "found"
    assert 0 < lines[-1]["score"] < 1
    assert x < 300 < x + width
    assert y < 120 < y + height


def test_an_earlier_run_is_not_overwritten(tmp_path):
    (tmp_path / "frames.jsonl").write_text("of an earlier run")
    result = run("camera", "--replay", PHOTO, "--point", "1,1", "--out", tmp_path)
    assert_refused(result, "is not empty")
    assert (tmp_path / "frames.jsonl").read_text() == "of an earlier run"


def test_a_folder_is_played_once_by_name(tmp_path, coffee):
    for name, value in (("b.png", 200), ("a.png", 100), ("c.png", 50)):
        Image.new("RGB", (64, 48), (value, 0, 0)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a frame")
    assert [frame[0, 0, 0] for frame in play(tmp_path)] == [100, 200, 50]


@pytest.mark.parametrize(
    ("prompt", "frames", "needed"),
    [(("--point", "300,120"), 3, 12), (("--box", "180,20,400,230"), 2, 3)],
)
def test_a_replay_that_is_too_short_says_so(tmp_path, prompt, frames, needed):
    """A click looks at four regions, and each is in force at the third frame."""
    for number in range(frames):
        shutil.copy(PHOTO, tmp_path / f"{number}.jpg")
    result = run("camera", "--replay", tmp_path, *prompt)
    assert result.exit_code == 0, result.output
    said = f"{frames} frames, 0 with the object found: the first answer comes with frame {needed}"
    assert said in result.stderr
    for number in range(frames, needed):
        shutil.copy(PHOTO, tmp_path / f"{number:02d}.jpg")
    assert (
        f"{needed} frames, 1 with the object found\n"
        in run("camera", "--replay", tmp_path, *prompt).stderr
    )


def test_a_range_keeps_the_frames_of_a_folder_comparable(tmp_path, coffee):
    """The same scene in 12 bits, once at half the light: by itself each frame is as bright."""
    grey = np.asarray(Image.fromarray(coffee).convert("L")).astype(np.uint16)
    for name, light in (("a.png", 16), ("b.png", 4)):
        Image.fromarray(grey * light).save(tmp_path / name)
    bright, dark = (frame.mean() for frame in play(tmp_path))
    assert dark == pytest.approx(bright, rel=0.01)
    bright, dark = (frame.mean() for frame in play(tmp_path, value_range=(0, 4095)))
    assert dark == pytest.approx(bright / 4, rel=0.01)
    box = ("--box", "180,20,400,230")
    said = run("camera", "--replay", tmp_path, *box, "--range", "0,4095").stderr
    assert said.count("0 became black, 4095 white") == 1, "not once a frame"


def test_a_range_is_not_for_the_camera(network):
    result = run("camera", "--network", network, "--point", "1,1", "--range", "0,9")
    assert_refused(result, "--range is for --replay")


def test_bad_input_is_one_line(tmp_path):
    photo = ("--replay", PHOTO)
    assert_refused(run("camera", "--point", "1,1"), "--network", "--replay")
    assert_refused(run("camera", *photo), "--point", "--box")
    assert_refused(run("camera", *photo, "--point", "1,1", "--box", "1,1,2,2"), "--point")
    assert_refused(run("camera", *photo, "--point", "600,1"), "600×400")
    assert_refused(run("camera", "--replay", tmp_path, "--point", "1,1"), "no images")
    assert_refused(run("camera", "--replay", tmp_path / "no.mp4", "--point", "1,1"), "no.mp4")
    assert_refused(run("camera", "--replay", __file__, "--point", "1,1"), "not a video")
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    Image.new("RGB", (64, 50)).save(tmp_path / "b.png")
    assert_refused(run("camera", "--replay", tmp_path, "--point", "1,1"), "64×50", "64×48")


# The Raspberry Pi AI Camera, behind a picamera2 that refuses what is not documented


@pytest.fixture
def network(tmp_path) -> Path:
    path = tmp_path / "network.rpk"
    path.write_bytes(b"firmware")
    return path


@pytest.fixture
def sensor(monkeypatch, predictor):
    return install(monkeypatch, predictor.runtime)


def test_the_ai_camera_segments_shows_and_reports(sensor, network):
    """A click on the cup, in pixels of the sensor."""
    result = run("camera", "--network", network, "--point", "2028,912", "--frames", "15")
    assert result.exit_code == 0, result.output
    assert "15 frames, 2 with the object found; 14.3 ms in the sensor (median)" in result.stderr
    assert sensor.network == str(network)
    assert sensor.closed
    # The four scales, each centred on the click.
    assert [width for _, _, width, _ in sensor.regions[:4]] == [243, 487, 973, 1947]
    for x, y, width, height in sensor.regions[:4]:
        assert (x + width / 2, y + height / 2) == pytest.approx((2028, 912), abs=1)
    overlay = sensor.overlays[-1]
    assert overlay.shape == (760, 1014, 4)
    assert overlay[228, 507, 3] > 0
    assert overlay[750, 10, 3] == 0


def test_the_ai_cameras_frames_are_recorded(sensor, network, tmp_path):
    out = tmp_path / "frames"
    box = ("--box", "1200,200,2700,2300")
    run("camera", "--network", network, *box, "--frames", "5", "--no-preview", "--out", out)
    assert Image.open(out / "000005.png").size == (1014, 760)
    first, *_, last = map(json.loads, (out / "frames.jsonl").read_text().splitlines())
    assert first["inference_ms"] is None, "the first frames carry no tensor"
    assert (last["inference_ms"], last["dsp_ms"]) == (14.3, 0.9)
    assert last["status"] == "found"
    x, _, width, _ = last["bbox"]
    assert 0 <= x < 1950 < x + width <= 4056


def test_its_frames_are_fresh_and_show_the_whole_sensor(sensor, network):
    run("camera", "--network", network, "--point", "10,10", "--frames", "1", "--no-preview")
    assert sensor.config["queue"] is False
    assert sensor.config["controls"]["ScalerCrop"] == (0, 0, 4056, 3040)
    width, height = sensor.config["main"]["size"]
    assert width * 3040 == height * 4056


def test_ctrl_c_ends_cleanly(sensor, network):
    sensor.stop_after = 5
    result = run("camera", "--network", network, "--box", "1200,200,2700,2300")
    assert result.exit_code == 0
    assert "5 frames" in result.stderr
    assert sensor.closed


def test_a_machine_without_picamera2_is_told_how_to_install_it(monkeypatch, network):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    result = run("camera", "--network", network, "--point", "1,1")
    assert_refused(result, "sudo apt install", "python3-picamera2", "--system-site-packages")


def test_a_network_that_is_not_ours_is_refused(sensor, network, tmp_path):
    assert_refused(run("camera", "--network", tmp_path / "no.rpk", "--point", "1,1"), "no.rpk")
    sensor.input_size = (224, 224)
    assert_refused(run("camera", "--network", network, "--point", "1,1"), "224×224")
    broken = network.rename(tmp_path / "broken.rpk")
    assert_refused(run("camera", "--network", broken, "--point", "1,1"), "does not start")


def test_a_camera_that_others_use_or_that_does_not_start_is_one_line(sensor, network):
    sensor.busy = True
    result = run("camera", "--network", network, "--point", "1,1")
    assert_refused(result, "another program", "did not complete")
    sensor.busy, sensor.stuck = False, True
    result = run("camera", "--network", network, "--point", "1,1")
    assert_refused(result, "does not start", "Failed to start")
    assert sensor.closed


def test_a_prompt_outside_the_sensor_closes_the_camera(sensor, network):
    assert_refused(run("camera", "--network", network, "--point", "5000,1"), "4056×3040")
    assert sensor.closed


def test_weights_are_not_for_the_camera(sensor, network):
    result = run("camera", "--network", network, "--point", "1,1", "--weights", "paper-fp32")
    assert_refused(result, "--replay")

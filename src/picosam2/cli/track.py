"""The verb ``track``: objects followed through a video."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from picosam2.cli.base import (
    NATURAL,
    OUTPUT,
    PATH,
    POSITIVE,
    boxes_option,
    check_clicks,
    engine_option,
    not_option,
    point_option,
    range_option,
    say,
    weights_option,
)
from picosam2.errors import InputError

if TYPE_CHECKING:
    from picosam2.video.prompts import VideoPrompt


@click.command()
@click.argument("video", type=PATH, metavar="VIDEO|FOLDER|CAMERA")
@point_option
@not_option
@boxes_option
@click.option(
    "--mask", type=PATH, help="A picture of masks: with a palette, each number is an object."
)
@click.option("--frame", type=NATURAL, default=0, show_default=True, help="Of these prompts.")
@click.option(
    "--prompts",
    "prompt_file",
    type=PATH,
    help='JSON: [{"frame": 0, "object": 1, "points": [[X, Y]], "labels": [1]}, ...], with "box" '
    'or "mask"; a later frame of an object corrects it.',
)
@click.option("--frames", type=POSITIVE, help="Stop after so many.  [default: all]")
@click.option(
    "--out", type=PATH, help="The video with the objects tinted (.mp4, .webm), sound kept."
)
@click.option("--masks", type=PATH, help="New folder of a PNG a frame, as DAVIS has them.")
@click.option(
    "--json",
    "json_file",
    type=OUTPUT,
    metavar="FILE",
    help="COCO's JSON for videos (YouTube-VIS); - for stdout.",
)
@click.option("--cutout", type=PATH, help="The objects on a transparent ground (.webm, .mov).")
@range_option
@weights_option
@engine_option
@click.option("--threads", type=NATURAL, default=1, show_default=True, help="CPU threads.")
def track(
    video: Path,
    points: tuple[tuple[float, ...], ...],
    others: tuple[tuple[float, ...], ...],
    boxes: tuple[tuple[float, ...], ...],
    mask: Path | None,
    frame: int,
    prompt_file: Path | None,
    frames: int | None,
    out: Path | None,
    masks: Path | None,
    json_file: str | None,
    cutout: Path | None,
    value_range: tuple[float, float] | None,
    weights: str,
    engine: str | None,
    threads: int,
) -> None:
    """Follow objects through a video, from a click, boxes or masks in one of its frames.

    VIDEO is a file or a folder of pictures; /dev/video0 is a camera, which is followed live until
    Ctrl-C. Without an output, VIDEO.tracked.mp4 is written. Frames before --frame are followed
    backwards.
    """
    prompts = _read_prompts(points, others, boxes, mask, frame, prompt_file)
    from picosam2.files import check_outputs
    from picosam2.video.run import Outputs, track_camera, track_video

    if not any((out, masks, json_file, cutout)):
        out = Path(f"{video.name}.tracked.mp4")
    outputs = Outputs(out, masks, json_file, cutout)
    pictures = [prompt.mask for prompt in prompts]
    check_outputs([path for _, path in outputs], [video, prompt_file, weights, *pictures])
    start = time.perf_counter()
    tools = {"weights": weights, "engine": engine, "threads": threads}
    if video.is_char_device():
        done = track_camera(str(video), prompts, outputs, frames, tools)
    else:
        done = track_video(str(video), prompts, outputs, frames, value_range, tools)
    for line in done.lines(time.perf_counter() - start):
        say(line)


def _read_prompts(
    points: tuple[tuple[float, ...], ...],
    others: tuple[tuple[float, ...], ...],
    boxes: tuple[tuple[float, ...], ...],
    mask: Path | None,
    frame: int,
    prompt_file: Path | None,
) -> list[VideoPrompt]:
    from picosam2.video.prompts import VideoPrompt, read_prompt_file

    clicked = bool(points or others)
    kinds = (clicked or bool(boxes), mask is not None, prompt_file is not None)
    if sum(kinds) != 1:
        raise InputError(
            "give one kind of prompt: --point X,Y (and more clicks), --box X0,Y0,X1,Y1 (one or "
            "more), --mask FILE or --prompts FILE"
        )
    check_clicks(points, others, boxes, mask)
    if prompt_file is not None:
        return read_prompt_file(prompt_file)
    if mask is not None:
        return [VideoPrompt(frame, mask=str(mask))]
    clicks: Any = [*points, *others]
    labels = [1] * len(points) + [0] * len(others)
    given: Any = boxes or (None,)
    return [
        VideoPrompt(frame, number, clicks, labels, box) for number, box in enumerate(given, start=1)
    ]

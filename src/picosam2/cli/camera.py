"""The verb ``camera``: segmentation in the image sensor."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from picosam2.cli.base import PATH, POSITIVE, floats, range_option, say, weights_option
from picosam2.errors import InputError
from picosam2.weights import DEFAULT_MODEL

if TYPE_CHECKING:
    from picosam2.camera.base import Camera


@click.command()
@click.option(
    "--network",
    type=PATH,
    help="network.rpk, to run in a Raspberry Pi AI Camera.",
)
@click.option(
    "--replay",
    type=PATH,
    help="Instead of a camera: a folder of images, an image or a video.",
)
@click.option("--point", callback=floats(2), metavar="X,Y", help="A click on the object.")
@click.option("--box", callback=floats(4), metavar="X0,Y0,X1,Y1", help="A box around the object.")
@click.option(
    "--follow/--no-follow", default=True, help="Move the region with the mask.  [default: follow]"
)
@click.option(
    "--frames",
    type=POSITIVE,
    help="Stop after so many.  [default: all; 30 of a single image; a camera until Ctrl-C]",
)
@click.option("--out", type=PATH, help="Folder of overlays (PNG) and frames.jsonl.")
@click.option("--preview/--no-preview", default=True, help="The camera's window.")
@range_option
@weights_option
def camera(
    network: Path | None,
    replay: Path | None,
    point: tuple[float, ...] | None,
    box: tuple[float, ...] | None,
    follow: bool,
    frames: int | None,
    out: Path | None,
    preview: bool,
    value_range: tuple[float, float] | None,
    weights: str,
) -> None:
    """Segment in the image sensor: the region it looks at is the prompt.

    A click is answered at several scales, one region a few frames; the best is kept and follows the
    mask. X and Y are pixels of the full frame: 4056×3040 of the AI Camera (four times those of its
    1014×760 preview), or those of the images played. --weights are those of --replay; a camera runs
    what is in network.rpk. The white rectangle of an overlay is the region.
    """
    from picosam2.camera.loop import run
    from picosam2.camera.record import Recorder
    from picosam2.camera.session import Session, SessionConfig

    if (network is None) == (replay is None):
        raise InputError("give one source: --network network.rpk or --replay PATH")
    if (point is None) == (box is None):
        raise InputError("give one prompt: --point X,Y or --box X0,Y0,X1,Y1")
    if network is not None and weights != DEFAULT_MODEL:
        raise InputError("--weights is for --replay: a camera runs what is in network.rpk")
    if network is not None and value_range is not None:
        raise InputError("--range is for --replay: a camera's frames have 8 bits")
    with contextlib.ExitStack() as stack:
        source = _open(network, replay, frames, weights, preview, out is not None, value_range)
        stack.callback(source.close)
        size, config = source.frame_size, SessionConfig(follow=follow)
        session = Session(size, point=point, box=box, min_side=source.min_side, config=config)
        recorder = None
        if out is not None:
            recorder = stack.enter_context(contextlib.closing(Recorder(out, size)))
        say(str(run(source, session, frames, recorder)))


def _open(
    network: Path | None,
    replay: Path | None,
    frames: int | None,
    weights: str,
    preview: bool,
    pixels: bool,
    value_range: tuple[float, float] | None,
) -> Camera:
    if replay is None:
        from picosam2.camera.picamera import ImxCamera

        assert network is not None
        return ImxCamera(network, preview, pixels)
    from picosam2.camera.replay import ReplayCamera, play
    from picosam2.predictor import Predictor

    runtime = Predictor.from_pretrained(weights, threads=1).runtime
    return ReplayCamera(play(replay, frames, value_range), runtime)

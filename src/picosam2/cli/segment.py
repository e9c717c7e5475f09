"""The verb ``segment``: a photograph and a prompt in, a mask out."""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np

from picosam2.cli.base import (
    PATH,
    engine_option,
    floats,
    range_option,
    say,
    threads_option,
    weights_option,
)
from picosam2.errors import InputError


@click.command()
@click.argument("photo", type=PATH)
@click.option(
    "--point", callback=floats(2), metavar="X,Y", help="A click on the object, in pixels."
)
@click.option("--box", callback=floats(4), metavar="X0,Y0,X1,Y1", help="A box around the object.")
@click.option("--out", type=PATH, help="Folder of the pictures.  [default: .]")
@click.option("--json", "json_file", metavar="FILE", help="Write the mask as JSON; - for stdout.")
@range_option
@weights_option
@engine_option
@threads_option
def segment(
    photo: Path,
    point: tuple[float, ...] | None,
    box: tuple[float, ...] | None,
    out: Path | None,
    json_file: str | None,
    value_range: tuple[float, float] | None,
    weights: str,
    engine: str | None,
    threads: int,
) -> None:
    """Segment the object under a click or in a box of PHOTO.

    Writes photo.jpg.mask.png (255 is object) and photo.jpg.overlay.png. With --json, the mask is
    written as COCO RLE with its bbox, area and predicted IoU, and the pictures only where --out is
    given.
    Coordinates are those of the upright photograph.
    """
    from picosam2.images import load_image

    if (point is None) == (box is None):
        raise InputError("give one prompt: --point X,Y or --box X0,Y0,X1,Y1")
    # Before all else is imported: decoding is when some large photographs need most memory.
    image = load_image(photo, value_range)
    # So that the predictor needs no copy of its own.
    image.setflags(write=False)
    from picosam2.output import mask_record, write_json, write_pictures
    from picosam2.predictor import Predictor

    predictor = Predictor.from_pretrained(weights, engine=engine, threads=threads)
    start = time.perf_counter()
    predictor.set_image(image)
    points = None if point is None else [point]
    masks, scores, _ = predictor.predict(points, box=box, multimask_output=False)
    milliseconds = (time.perf_counter() - start) * 1000
    if json_file is None or out is not None:
        for name, path in write_pictures(out or Path(), photo.name, image, masks[0], point, box):
            say(f"{name}: {path}")
    if json_file is not None:
        write_json(json_file, mask_record(masks[0], float(scores[0])) | {"image": photo.name})
    say(
        f"predicted IoU {scores[0]:.2f}, {np.count_nonzero(masks[0])} pixels, "
        f"{milliseconds:.0f} ms in {predictor.forward_passes} forward passes"
    )

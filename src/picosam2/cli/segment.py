"""The verb ``segment``: photographs and prompts in, masks out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from picosam2.cli.base import (
    OUTPUT,
    PATH,
    boxes_option,
    check_clicks,
    engine_option,
    leaving_out,
    not_option,
    point_option,
    range_option,
    say,
    strict_option,
    threads_option,
    weights_option,
)
from picosam2.errors import InputError
from picosam2.formats import FORMATS, open_format

if TYPE_CHECKING:
    from picosam2.data.problems import Kind
    from picosam2.formats.base import Format
    from picosam2.predictor import Predictor
    from picosam2.segmenting.photos import PhotoFile


@click.command()
@click.argument("photos", type=PATH, nargs=-1, required=True, metavar="PHOTO|FOLDER|PATTERN...")
@point_option
@not_option
@click.option(
    "--mask", type=PATH, help="A mask of the object as a picture, which the clicks correct."
)
@boxes_option
@click.option(
    "--boxes",
    "box_file",
    type=PATH,
    help="A file of boxes: COCO's results (JSON), or lines of file,x0,y0,x1,y1.",
)
@click.option("--everything", is_flag=True, help="Find all objects, without a prompt.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    help="What is written.  [default: png, or with --json and without --out nothing more]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, max=1e6),
    default=1.0,
    show_default=True,
    help="How far polygons may be from the mask's outline, in pixels.",
)
@click.option("--out", type=PATH, help="Folder of the results.  [default: .]")
@click.option(
    "--json",
    "json_file",
    type=OUTPUT,
    metavar="FILE",
    help="Write --format rle here; - for stdout.",
)
@strict_option
@range_option
@weights_option
@engine_option
@threads_option
def segment(
    photos: tuple[Path, ...],
    points: tuple[tuple[float, ...], ...],
    others: tuple[tuple[float, ...], ...],
    mask: Path | None,
    boxes: tuple[tuple[float, ...], ...],
    box_file: Path | None,
    everything: bool,
    format_name: str | None,
    tolerance: float,
    out: Path | None,
    json_file: str | None,
    strict: bool,
    value_range: tuple[float, float] | None,
    weights: str,
    engine: str | None,
    threads: int,
) -> None:
    """Segment an object by clicks, objects by boxes, or all objects of photographs.

    Clicks are obeyed in their order: the first --point, the others, then each --not.

    Writes photo.jpg.mask.png (255 is object) and photo.jpg.overlay.png, or another format. With
    --json, the masks are written as COCO RLE with bbox, area and predicted IoU, and the pictures
    only where --out or --format is given.
    Coordinates are those of the upright photograph. Of several photographs, those that are broken
    are left out and named.
    """
    clicked = bool(points or others or mask)
    if sum((clicked or bool(boxes), box_file is not None, everything)) != 1:
        raise InputError(
            "give one prompt: --point X,Y (and more clicks), --box X0,Y0,X1,Y1 (one or more), "
            "--boxes FILE or --everything"
        )
    check_clicks(points, others, boxes, mask)
    if everything and format_name == "cutout":
        raise InputError("--everything keeps no soft edges: give --format png, or boxes as prompts")
    from picosam2.files import check_outputs
    from picosam2.formats.base import Target
    from picosam2.images import SUFFIXES
    from picosam2.segmenting.box_file import GivenBox, read_boxes
    from picosam2.segmenting.photos import find_photos, is_lone
    from picosam2.segmenting.prompts import Prompts
    from picosam2.segmenting.run import segment_photographs

    lone_photo = is_lone(photos)
    found = find_photos(photos)
    prompts: dict[str, Prompts] = {}
    if box_file is None:
        if mask is not None and not lone_photo:
            raise InputError("--mask is of one photograph: give that one alone")
        labels = [1] * len(points) + [0] * len(others)
        given = [GivenBox(box) for box in boxes]
        same = Prompts([*points, *others], labels, mask, given, everything)
        prompts = dict.fromkeys((photo.name for photo in found), same)
    one_object = clicked or len(boxes) == 1

    def target(name: str) -> Target:
        folder = out or Path()
        stem = found[0].name if lone_photo else "masks"
        file = str(folder / f"{stem}.{name}.json")
        if name == "rle" and json_file is not None:
            file = json_file
        categories = frozenset(
            box.category_id
            for asked in prompts.values()
            for box in asked.boxes
            if box.category_id is not None
        )
        lone = lone_photo and one_object
        return Target(folder, file, lone, not one_object, tolerance, categories)

    wanted = _wanted(format_name, json_file, out)
    # A pattern finds the results of an earlier run, too, which are no photographs.
    pictures = [photo.path for photo in found if photo.path.suffix.lower() in SUFFIXES]
    inputs = [mask, box_file, weights, *pictures]
    whole = [target(name).file for name in wanted if name in ("rle", "coco")]
    check_outputs([out, *whole], inputs)

    def tools() -> tuple[Predictor, Sequence[Format]]:
        from picosam2.predictor import Predictor

        formats = [open_format(name, target(name)) for name in wanted]
        for form in formats:
            # Two photographs of one file are told by the format itself.
            check_outputs({path for photo in found for path in form.written(photo.name)}, inputs)
        return Predictor.from_pretrained(weights, engine=engine, threads=threads), formats

    with leaving_out(strict) as problems:

        def refuse(kind: Kind, photo: PhotoFile, error: InputError) -> None:
            if lone_photo and (box_file is None or kind != kind.PROMPT):
                raise error
            problems.add(kind, photo.path.parent, photo.name, error)

        if box_file is not None:
            of_file = read_boxes(box_file, found, problems)
            prompts = {name: Prompts(boxes=given) for name, given in of_file.items()}
            without = len(found) - len(prompts)
            found = [photo for photo in found if photo.name in prompts]
            if without:
                say(f"{without} photographs have no box in {box_file}: passed over")
        segment_photographs(found, prompts, value_range, tools, refuse, say)


def _wanted(format_name: str | None, json_file: str | None, out: Path | None) -> list[str]:
    """The formats to write; the first is the one that may need logits."""
    names = [] if format_name is None else [format_name]
    if format_name is None and (json_file is None or out is not None):
        names.append("png")
    if json_file is not None and "rle" not in names:
        names.append("rle")
    return names

"""The verb ``data``: photographs and masks of any source into shards, and out of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from picosam2.cli.base import (
    NATURAL,
    OUTPUT,
    PATH,
    POSITIVE,
    Group,
    exif_option,
    files_of,
    leaving_out,
    say,
    strict_option,
)
from picosam2.errors import InputError

if TYPE_CHECKING:
    from picosam2.data.header import Exif

FORMATS = ("coco", "lvis", "voc", "sa1b", "masks", "labelme", "photos")
SPLITS = ("val2017", "train2017")


@click.group(cls=Group)
def data() -> None:
    """Bring photographs and masks into shards, look into them, take them out."""


@data.command("import")
@click.argument("format", type=click.Choice(FORMATS))
@click.argument("source", metavar="SRC")
@click.option(
    "--out", required=True, help="New folder of the shards, a path or an address (s3://...)."
)
@click.option(
    "--split", help="Of the source: val2017, train, ... The shards get its name.", metavar="NAME"
)
@click.option("--max-side", type=POSITIVE, help="Reduce photographs whose longest side is longer.")
@click.option("--limit", type=POSITIVE, help="Take only N photographs, drawn at random.")
@click.option("--seed", type=NATURAL, default=0, show_default=True, help="Of --limit.")
@click.option(
    "--per-shard", type=POSITIVE, default=500, show_default=True, help="Photographs a shard."
)
@exif_option
@strict_option
def import_(
    format: str,
    source: str,
    out: str,
    split: str | None,
    max_side: int | None,
    limit: int | None,
    seed: int,
    per_shard: int,
    exif: Exif,
    strict: bool,
) -> None:
    """Write the photographs of SRC into new shards.

    \b
    coco    images/ + instances.json, or annotations/instances_SPLIT.json + SPLIT/
    lvis    lvis_v1_SPLIT.json with COCO's folders, or images/ + instances.json
    voc     a folder such as VOCdevkit/VOC2012
    sa1b    SA-1B's tars, or any shards
    masks   images/NAME.* with masks/NAME.png or masks/NAME/*.png
    labelme a JSON of Labelme or X-AnyLabeling beside each photograph
    photos  every image file below SRC, without annotation

    What is damaged or does not fit its annotation is left out, named, and written to
    left-out.jsonl beside the shards.
    """  # noqa: D301 (click's mark for lines that stay as they are)
    from picosam2.data.import_run import ImportOptions, import_photographs

    options = ImportOptions(split, max_side, limit, seed, per_shard, exif)
    with leaving_out(strict) as problems:
        report = import_photographs(format, source, out, options, problems)
    say(
        f"{out}: {report.photographs} photographs, {report.objects} objects, {report.shards} shards"
    )
    if report.vanished:
        say(f"left out: {report.vanished} objects that vanish at this size")


@data.command()
@click.argument("location")
@click.option(
    "--json",
    "json_file",
    type=OUTPUT,
    metavar="FILE",
    help="Write the counts as JSON; - for stdout.",
)
@click.option("--decode", is_flag=True, help="Decode every photograph too, which takes longer.")
@exif_option
@strict_option
def index(location: str, json_file: str | None, decode: bool, exif: Exif, strict: bool) -> None:
    """Count what is in LOCATION: shards, one shard, or a folder in COCO format.

    What is damaged or does not fit is named and counted; it is no error as long as something is
    left.
    """
    from msgspec import to_builtins

    from picosam2.data.source import count_annotations, leave_out_damaged, open_source
    from picosam2.files import check_outputs
    from picosam2.output import write_json

    check_outputs([json_file], files_of(location))
    with leaving_out(strict) as problems:
        source = open_source(location, problems=problems, exif=exif)
        if decode:
            leave_out_damaged(source, source.photographs)
    counts = count_annotations(source)
    nothing_left = problems.entries and not counts["images"]
    if nothing_left or (problems.lost_objects() and not counts["objects"]):
        raise InputError(f"nothing is left of {location}: see what is left out")
    counts |= {"left_out": problems.counts, "left_out_named": to_builtins(problems.entries)}
    for line in _count_lines(counts):
        # Standard output is for the JSON where that is asked for there.
        click.echo(line, err=json_file == "-")
    if json_file is not None:
        write_json(json_file, counts)


def _count_lines(counts: dict[str, Any]) -> list[str]:
    sides = counts["longest_side"]
    figures = {
        "photographs": counts["images"],
        "longest side": f"{sides['min']} to {sides['max']}, median {sides['median']} pixels"
        if sides
        else "-",
        "splits": _pairs(counts["splits"]),
        "objects": counts["objects"],
        "crowds": counts["crowds"],
        "masks": _pairs(counts["masks"]),
        "only boxes": counts["only_boxes"],
        "teacher's answers": counts["teacher_prompts"],
        "soft targets": counts["soft_targets"],
        "left out": len(counts["left_out_named"]),
        "SHA-256": counts["sha256"],
    }
    return [f"{name:18} {figure}" for name, figure in figures.items()]


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "0"


@data.command("export")
@click.argument("shards")
@click.option("--out", required=True, type=PATH, help="New folder.")
@exif_option
@strict_option
def export_(shards: str, out: Path, exif: Exif, strict: bool) -> None:
    """Write SHARDS (a folder or a .tar) as a folder in COCO format: images/ + instances.json."""
    from picosam2.data.coco_export import export_coco

    with leaving_out(strict) as problems:
        report = export_coco(shards, out, problems, exif)
    say(f"{out}: {report.photographs} photographs, {report.objects} objects")
    if report.answers:
        say(f"left out: {report.answers} teacher's answers, which COCO cannot hold")


@data.command()
@click.argument("name")
@click.option("--annotations", required=True, type=PATH, help="The public annotation file.")
@click.option("--images", required=True, type=PATH, help="Folder of its photographs.")
@click.option("--out", required=True, type=PATH, help="New folder.")
def split(name: str, annotations: Path, images: Path, out: Path) -> None:
    """Rebuild the split NAME (coco-val, lvis-val) that our figures are quoted on.

    coco-val is out of instances_val2017.json and val2017, lvis-val out of lvis_v1_val.json and the
    folder that has val2017.
    """
    from picosam2.data.split import rebuild_split

    photographs, annotated = rebuild_split(name, annotations, images, out)
    say(f"{out}: {photographs} photographs, {annotated} annotations")


@data.command()
@click.argument("dataset", type=click.Choice(["coco"]))
@click.option("--split", type=click.Choice(SPLITS), default=SPLITS[0], show_default=True)
@click.option("--out", required=True, type=PATH, help="Folder.")
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
def download(dataset: str, split: str, out: Path, dry_run: bool) -> None:
    """Fetch COCO's photographs and annotations, check and unpack them.

    Run the same command again to go on after a stop.
    """
    from picosam2.data.download import ANNOTATIONS, IMAGES, download_coco

    for archive in (IMAGES[split], ANNOTATIONS):
        click.echo(f"{archive.url}  {archive.size / 1e6:,.0f} MB  SHA-256 {archive.sha256}")
    if not dry_run:
        download_coco(split, out)
    say(f"then: picosam2 data import {dataset} {out} --split {split} --out {out / 'shards'}")

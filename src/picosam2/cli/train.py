"""The verb ``train``."""

from __future__ import annotations

from pathlib import Path

import click

from picosam2.cli.base import NATURAL, PATH, POSITIVE


@click.command()
@click.option(
    "--data",
    "data",
    required=True,
    multiple=True,
    metavar="DIR[:SHARE]",
    help="Folder in COCO format, and its share of the samples (default: by its objects). Repeat.",
)
@click.option("--out", required=True, type=PATH, help="Folder of the run.")
@click.option("--samples", type=POSITIVE, default=300_000, show_default=True, help="Crops to see.")
@click.option("--batch", type=POSITIVE, default=32, show_default=True, help="Crops a step.")
@click.option(
    "--lr",
    default=2e-3,
    show_default=True,
    help="Peak learning rate.",
)
@click.option(
    "--sizes",
    default="48:.13,64:.52,96:.35",
    show_default=True,
    metavar="SIDE:SHARE,...",
    help="Crop sides in pixels, in order, and their shares of the samples.",
)
@click.option(
    "--prompts",
    default="native:.3,box:.3,scene:.25",
    show_default=True,
    metavar="KIND:SHARE,...",
    help="Shares of crops of 96 native pixels, of boxes and of clicks at any scale; the rest are "
    "clicks at the object's scale.",
)
@click.option(
    "--loss",
    default="supervised",
    show_default=True,
    help="supervised; or, with labels by picosam2 label: paper, released or soft.",
)
@click.option("--seed", type=NATURAL, default=0, show_default=True)
@click.option("--init", type=PATH, help="Weights to start from (safetensors).")
@click.option("--val", type=PATH, help="Folder to validate on now and then.")
@click.option("--processes", type=POSITIVE, help="Worker processes.  [default: one a core or GPU]")
def train(
    data: tuple[str, ...],
    out: Path,
    samples: int,
    batch: int,
    lr: float,
    sizes: str,
    prompts: str,
    loss: str,
    seed: int,
    init: Path | None,
    val: Path | None,
    processes: int | None,
) -> None:
    """Train the network on annotated photographs.

    Run the same command again to go on after a stop; another --samples then stretches or shortens
    the schedule. The result is OUT/weights.safetensors.
    """
    from picosam2.training.config import TrainConfig, parse_prompts, parse_sizes
    from picosam2.training.run import run_training

    sampler = parse_prompts(prompts)
    config = TrainConfig(
        samples, batch, parse_sizes(sizes), lr, loss=loss, seed=seed, sampler=sampler
    )
    run_training(data, out, config, init, val, processes)

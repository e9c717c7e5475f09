"""The verb ``eval``: figures on annotated photographs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from picosam2.cli.base import NATURAL, POSITIVE, say, threads_option, weights_option


@click.command("eval")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Folder in COCO format."
)
@click.option("--protocol", default="crop96,click,box", show_default=True, help="Comma-separated.")
@click.option(
    "--json", "json_file", metavar="FILE", help="Write the figures as JSON; - for stdout."
)
@click.option("--limit", type=POSITIVE, help="Measure only N objects.")
@click.option(
    "--seed", type=NATURAL, default=0, show_default=True, help="Of --limit and intervals."
)
@weights_option
@threads_option
def evaluate(
    data: Path,
    protocol: str,
    json_file: str | None,
    limit: int | None,
    seed: int,
    weights: str,
    threads: int,
) -> None:
    """Measure the masks on annotated photographs.

    Protocols: crop96 (the paper's crop), paper96 (as the paper's code cuts it), click and box (the
    whole image).
    """
    from picosam2.data.source import open_source
    from picosam2.evaluation.run import evaluate as run
    from picosam2.output import write_json
    from picosam2.predictor import Predictor

    predictor = Predictor.from_pretrained(weights, threads=threads)
    names = [name.strip() for name in protocol.split(",") if name.strip()]
    report = run(open_source(data), names, predictor, limit, seed)
    for name, figures in report["protocols"].items():
        low, high = figures["ci95"]
        sizes = ", ".join(
            f"{size} {part['miou'] * 100:.1f} ({part['n']})"
            for size, part in figures["by_size"].items()
            if part["n"]
        )
        say(
            f"{name:8} mIoU {figures['miou'] * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}]  "
            f"mAP {figures['map'] * 100:.1f}  n {figures['n']}  {sizes}"
        )
    if json_file is not None:
        write_json(json_file, report | {"command": sys.argv[1:]})

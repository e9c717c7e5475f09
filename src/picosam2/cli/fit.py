"""The verbs ``fit`` and ``bench``: what fits where, and what is fast here."""

from __future__ import annotations

from pathlib import Path

import click

from picosam2.cli.base import OUTPUT, PATH, POSITIVE, threads_option


@click.command()
@click.argument("folder", type=PATH, default="exported")
@click.option(
    "--json", "json_file", type=OUTPUT, metavar="FILE", help="Write the figures; - for stdout."
)
@click.option("--markdown", type=OUTPUT, metavar="FILE", help="Write the table.")
def fit(folder: Path, json_file: str | None, markdown: str | None) -> None:
    """Say what each model exported into FOLDER needs, and how fast it is.

    FOLDER holds one folder an export (default: exported, where picosam2 export writes). CPU models
    are timed here, one thread, taking turns; what NPU compilers say is marked as estimated.
    """
    from picosam2.export.fit import describe_measurement, fit_table, measure_fit
    from picosam2.output import write_json, write_text

    rows = measure_fit(folder)
    table = fit_table(rows).markdown()
    if json_file is not None:
        write_json(json_file, {**describe_measurement(), "rows": rows})
    if markdown is not None:
        write_text(Path(markdown), table)
    if json_file != "-":
        click.echo(table, nl=False)


@click.command()
@click.argument("models", nargs=-1, type=PATH)
@click.option("--image", type=PATH, help="A photograph.  [default: bundled]")
@click.option(
    "--rounds", type=POSITIVE, default=50, show_default=True, help="Times to ask each model."
)
@click.option(
    "--json", "json_file", type=OUTPUT, metavar="FILE", help="Write the figures; - for stdout."
)
@threads_option
def bench(
    models: tuple[Path, ...],
    image: Path | None,
    rounds: int,
    json_file: str | None,
    threads: int,
) -> None:
    """Time every installed engine on this machine, side by side.

    The models in the package, and MODELS by picosam2 export. One click in the middle of the
    photograph, medians, taking turns; the masks of one crop are compared with the first row's.
    """
    from picosam2.evaluation.engines import bench_table, list_models, measure_engines
    from picosam2.examples import EXAMPLES
    from picosam2.images import load_image
    from picosam2.output import write_json

    pixels = load_image(image or EXAMPLES / "images" / "coffee.jpg")
    height, width, _ = pixels.shape
    rows = measure_engines(
        list_models(list(models)), pixels, (width / 2, height / 2), threads, rounds
    )
    if json_file is not None:
        write_json(json_file, rows)
    if json_file != "-":
        click.echo(bench_table(rows).markdown(), nl=False)

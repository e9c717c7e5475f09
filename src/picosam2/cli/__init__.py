"""The command line: one verb a capability; PyTorch is imported only by the verbs that need it."""

from __future__ import annotations

import click

from picosam2.cli.base import Cli
from picosam2.cli.camera import camera
from picosam2.cli.data import data
from picosam2.cli.evaluate import evaluate, report
from picosam2.cli.export import export
from picosam2.cli.fit import bench, fit
from picosam2.cli.segment import segment
from picosam2.cli.serve import serve
from picosam2.cli.teacher import label, teacher
from picosam2.cli.track import track
from picosam2.cli.train import train
from picosam2.cli.web import web


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="picosam2")
def main() -> None:
    """Segment any object from one click, on any small device."""


for verb in (
    segment,
    track,
    serve,
    camera,
    evaluate,
    report,
    train,
    export,
    fit,
    bench,
    data,
    teacher,
    label,
    web,
):
    main.add_command(verb)

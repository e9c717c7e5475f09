"""The verb ``web``: the page in the browser."""

from __future__ import annotations

import contextlib
import webbrowser
from pathlib import Path

import click

from picosam2.cli.base import PATH, say

# What the browser keeps belongs to the address: another port would show none of it.
PORT = 8460


@click.command()
@click.argument("folder", type=PATH, metavar="[DIR]", required=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Of the address on this machine; 0 for any.  [default: {PORT}; with DIR any]",
)
@click.option("--no-browser", is_flag=True, help="Only say the address.")
def web(folder: Path | None, port: int | None, no_browser: bool) -> None:
    """Cut out and annotate in the browser, on this machine alone.

    With DIR, the page shows the photographs of DIR (or of DIR/images) and writes what is made of
    them to DIR/instances.json, in COCO format; the file as it was is kept as instances.json.bak.
    Ends with Ctrl-C.
    """
    from picosam2.page import BUILT
    from picosam2.page.folder import Folder
    from picosam2.page.server import PageServer

    shown = Folder(folder) if folder is not None else None
    if port is None:
        port = PORT if shown is None else 0
    with PageServer(BUILT, port, shown) as server:
        say(f"{server.address}  (Ctrl-C ends it)")
        if not no_browser:
            webbrowser.open(server.address)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()

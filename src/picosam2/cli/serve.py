"""The verb ``serve``: segmentation over HTTP."""

from __future__ import annotations

import ipaddress
import secrets

import click

from picosam2.cli.base import POSITIVE, engine_option, say, threads_option, weights_option
from picosam2.errors import InputError


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets other machines in.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8790, show_default=True)
@click.option(
    "--token",
    envvar="PICOSAM2_TOKEN",
    help="What clients must send; rather by PICOSAM2_TOKEN, as others see a command's options.  "
    "[default: a new one, which is printed]",
)
@click.option("--queue", type=POSITIVE, default=128, show_default=True, help="Requests at a time.")
@click.option(
    "--keep",
    type=POSITIVE,
    default=1024,
    show_default=True,
    metavar="MB",
    help="Memory of photographs that can be asked about again; the oldest go first.",
)
@click.option(
    "--label-studio",
    "label_studio_url",
    metavar="URL",
    help="The Label Studio that tasks' photographs are fetched from; its access token is taken "
    "from LABEL_STUDIO_API_KEY.",
)
@click.option("--label-studio-key", envvar="LABEL_STUDIO_API_KEY", hidden=True)
@weights_option
@engine_option
@threads_option
def serve(
    host: str,
    port: int,
    token: str | None,
    queue: int,
    keep: int,
    label_studio_url: str | None,
    label_studio_key: str | None,
    weights: str,
    engine: str | None,
    threads: int,
) -> None:
    """Answer over HTTP what segment answers: POST /segment and /everything.

    The page /docs shows the interface. Photographs stay in memory, for ten minutes at most.
    Ctrl-C answers what is in progress, and stops.
    """
    if label_studio_url and not label_studio_url.startswith(("http://", "https://")):
        raise InputError(f"--label-studio is an address, http://..., not {label_studio_url}")
    from picosam2.predictor import Predictor
    from picosam2.serving.access import check_token
    from picosam2.serving.app import create_app
    from picosam2.serving.config import ServingConfig
    from picosam2.serving.fetching import LabelStudio
    from picosam2.serving.run import listen
    from picosam2.serving.run import serve as serve_app

    secret = secrets.token_urlsafe(24) if token is None else check_token(token)
    config = ServingConfig(queue=queue, kept_megabytes=keep)
    source = LabelStudio(label_studio_url or "", label_studio_key or "")
    predictor = Predictor.from_pretrained(weights, engine=engine, threads=threads)
    listening = listen(host, port)
    name, number = listening.getsockname()[:2]
    address = f"[{name}]" if ":" in name else name
    say(f"http://{address}:{number} (the interface: http://{address}:{number}/docs)")
    if token is None:
        say(f"token: {secret}")
    if not ipaddress.ip_address(name.partition("%")[0]).is_loopback:
        say("other machines are let in, unencrypted: put a proxy with TLS before it")
    serve_app(create_app(predictor, secret, config, source), listening, config, say)

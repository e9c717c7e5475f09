"""The service on a port, until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from picosam2.errors import InputError
from picosam2.serving.config import ServingConfig

# Connections that wait to be taken.
BACKLOG = 2048
STOPPING = (signal.SIGINT, signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: name or address of this machine.
        port: 0 for any free one.

    Raises:
        InputError: it is taken, or not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot listen on {host}, port {port}: {reason}") from None


def serve(
    app: FastAPI, listening: socket.socket, config: ServingConfig, say: Callable[[str], None]
) -> None:
    """Answer until SIGINT or SIGTERM; then what is in progress is still answered.

    Args:
        app: the application.
        listening: of ``listen``; it is closed.
        config: its ``seconds`` are the longest that stopping takes.
        say: called with a line for people.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=int(config.seconds) + 5,
            server_header=False,
        )
    )
    # Uvicorn raises the signal again once it has stopped: that is the end that was asked for.
    before = {number: signal.signal(number, lambda *_: None) for number in STOPPING}
    try:
        with listening:
            server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    say("stopped")

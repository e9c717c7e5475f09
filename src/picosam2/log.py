"""What the package logs, as lines for people on standard error."""

from __future__ import annotations

import logging

import click


class Lines(logging.Handler):
    """Shows each kind of message once: what is done to one photograph of many is done to all."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Show it where none with the same wording (its arguments aside) was shown."""
        if record.msg not in self._shown:
            self._shown.add(record.msg)
            click.echo(record.getMessage(), err=True)


def show_log() -> Lines:
    """Show what the package logs in this process; give the handler, to be removed afterwards."""
    handler = Lines()
    logging.getLogger("picosam2").addHandler(handler)
    return handler

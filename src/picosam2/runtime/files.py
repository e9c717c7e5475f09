"""Reading model files, the same way for every engine."""

from __future__ import annotations

from pathlib import Path

from picosam2.errors import InputError


def read_model(path: str | Path) -> bytes:
    """The content of a model file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the model {path}: {error.strerror}") from None

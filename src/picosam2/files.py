"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from picosam2.errors import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` when the block succeeds.

    Raises:
        InputError: the path is a folder, cannot be written, or the disk is full.
    """
    if path.name in ("", "..") or path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder, give a file")
    here = f".{path.name}.{socket.gethostname()}."
    temporary = path.with_name(f"{here}{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent, here)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; rename it to ``path`` when the block succeeds.

    Raises:
        InputError: the path is there and not an empty folder, cannot be written, or the disk is
            full.
    """
    try:
        if path.name in ("", "..") or (path.exists() and not _is_empty_folder(path)):
            raise InputError(f"{path} is there already: give a new folder")
        path = path.resolve()
        here = f".{path.name}.{socket.gethostname()}."
        temporary = path.with_name(f"{here}{os.getpid()}.tmp")
        try:
            _remove_leftovers(path.parent, here)
            temporary.mkdir(parents=True)
            yield temporary
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _remove_leftovers(folder: Path, here: str) -> None:
    """Temporary files and folders of processes of this machine that were killed as they wrote."""
    if os.name != "posix":
        return
    for path in folder.glob(f"{glob.escape(here)}*.tmp"):
        pid = path.name.removeprefix(here).removesuffix(".tmp")
        if not pid.isdigit() or not 0 < int(pid) < 2**31:
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except PermissionError:
            continue

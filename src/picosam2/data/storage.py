"""Paths and addresses alike: local files, and any file system of ``fsspec`` (``s3://``, ...)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from picosam2.errors import InputError
from picosam2.files import replacing, scratch_folder


def is_address(location: str) -> bool:
    """Whether it is an address and not a local path."""
    return "://" in location


def beneath(folder: str, name: str) -> str:
    """A file's place in a folder.

    Raises:
        InputError: the folder has no name.
    """
    if not folder:
        raise InputError("give a folder, not an empty name")
    return f"{folder.rstrip('/')}/{name}"


def base_name(location: str) -> str:
    """The last part of a place."""
    return location.rpartition("/")[2]


@contextlib.contextmanager
def readable(location: str) -> Iterator[None]:
    """Turn what file systems raise into one line about ``location``."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, RecursionError, ImportError) as error:
        raise InputError(f"cannot read {location}: {error}") from None


def exists(location: str) -> bool:
    """Whether there is a file.

    Raises:
        InputError: the file system cannot be asked.
    """
    with readable(location):
        fs, path = fsspec.url_to_fs(location)
        return bool(fs.isfile(path))


@contextlib.contextmanager
def writing(location: str) -> Iterator[Path]:
    """A local path to write to; it appears as ``location`` when the block succeeds.

    Elsewhere it is sent in one piece, which object stores show when it is complete; on others
    (``sftp://``) a broken connection may leave a part: mount these instead.

    Raises:
        InputError: it cannot be written, or the disk is full.
    """
    with readable(location):
        fs, address = fsspec.url_to_fs(location)
    if isinstance(fs, LocalFileSystem):
        with replacing(Path(address if is_address(location) else location)) as path:
            yield path
        return
    with scratch_folder() as folder:
        path = folder / "content"
        yield path
        try:
            fs.makedirs(address.rpartition("/")[0], exist_ok=True)
            fs.put_file(str(path), address)
        except (OSError, ValueError, RecursionError, ImportError) as error:
            raise InputError(f"cannot write {location}: {error}") from None

"""Files and folders that are written whole or not at all; devices and pipes are written to."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from picosam2.errors import InputError

# Of a file's name, on Linux, macOS and Windows.
MOST_BYTES = 255
# Of a disk, a user's share of it, or what a process may write.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_outputs(
    outputs: Iterable[str | Path | None], inputs: Iterable[str | Path | None]
) -> None:
    """Refuse to write over what is read, or twice to one file; links are followed.

    Args:
        outputs: files and folders to write; None, ``-``, devices and pipes are passed over.
        inputs: files that are read; None, and what is no file, is passed over.

    Raises:
        InputError: an output is an input, or another output.
    """
    read = {_identity(Path(path)) for path in inputs if path is not None and Path(path).is_file()}
    written = set()
    for output in outputs:
        if output is None or str(output) == "-" or _is_written_into(Path(output)):
            continue
        identity = _identity(Path(output))
        if identity in read:
            raise InputError(f"{output} is read too: give another file to write")
        if identity in written:
            raise InputError(f"{output} would be written twice: give each result its own name")
        written.add(identity)


def _identity(path: Path) -> tuple[int, int] | str:
    """What is the same of a file, a link to it and its other names."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def _is_written_into(path: Path) -> bool:
    """Whether it is a device or a pipe, which may be given several times, or standard output."""
    try:
        return _is_stream(path) and not path.is_dir()
    except (OSError, ValueError):
        return False


def cannot_write(path: Path, error: OSError) -> InputError:
    """What to raise where a file or folder cannot be written."""
    return InputError(f"cannot write {path}: {error.strerror or error}")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file it was that the disk had no room for: the error of a write does not.

    Raises:
        InputError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if not _is_nameless_full(error):
            raise
        raise cannot_write(path, error) from None


def _is_nameless_full(error: OSError) -> bool:
    """Whether a write found the disk full, which does not say in which file."""
    return error.errno in FULL and not error.filename


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` when the block succeeds.

    Where ``path`` is a link, what it points to is replaced and the link stays. A device, a pipe or
    what is open as standard output is not replaced: it gets the content when the block succeeds.

    Raises:
        InputError: the path is a folder, cannot be written, or the disk is full.
    """
    try:
        if path.name in ("", "..") or path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder, give a file")
        with _streaming(path) if _is_stream(path) else _renaming(path) as temporary:
            yield temporary
    except OSError as error:
        raise cannot_write(path, error) from None


@contextlib.contextmanager
def _renaming(path: Path) -> Iterator[Path]:
    path = path.resolve()
    here = _beginning(path.name)
    temporary = path.with_name(f"{here}{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent, here)
        _remove(temporary)
        yield temporary
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def _streaming(path: Path) -> Iterator[Path]:
    with scratch_folder() as folder:
        # Its name's end tells some writers the format.
        temporary = folder / path.name
        yield temporary
        # A full device is not the temporary folder's fault.
        with naming(path), temporary.open("rb") as content, _open_stream(path) as stream:
            shutil.copyfileobj(content, stream)


def _is_stream(path: Path) -> bool:
    """Whether a path is something to write into and not a file to replace."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(found.st_mode) or _standard_stream(found) is not None


def _open_stream(path: Path) -> IO[bytes]:
    number = _standard_stream(path.stat())
    # A file that the shell has opened is written on from where it is.
    return path.open("wb") if number is None else os.fdopen(os.dup(number), "wb")


def _standard_stream(found: os.stat_result) -> int | None:
    """The number of standard output or error where a path leads to it, as /dev/stdout does."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(found, os.fstat(number)):
                return number
    return None


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
        here = _beginning(path.name)
        temporary = path.with_name(f"{here}{os.getpid()}.tmp")
        try:
            _remove_leftovers(path.parent, here)
            _remove(temporary)
            temporary.mkdir(parents=True)
            yield temporary
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise cannot_write(path, error) from None


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder of the system's, gone after the block; those of killed processes go too.

    Raises:
        InputError: it cannot be made, or the disk is full.
    """
    here = f"picosam2.{socket.gethostname()}."
    try:
        _remove_leftovers(Path(tempfile.gettempdir()), here)
        folder = Path(tempfile.mkdtemp(".tmp", f"{here}{os.getpid()}."))
    except OSError as error:
        raise _no_room(error) from None
    try:
        yield folder
    except OSError as error:
        if not _is_nameless_full(error):
            raise
        raise _no_room(error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _no_room(error: OSError) -> InputError:
    reason = error.strerror or error
    return InputError(f"cannot write temporary files: {reason}; set $TMPDIR")


def _beginning(name: str) -> str:
    """How the temporary names of a file or folder begin; its process and ``.tmp`` follow."""
    host = socket.gethostname()
    here = f".{name}.{host}."
    if len(os.fsencode(here)) <= MOST_BYTES - len("4294967296.tmp"):
        return here
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.{host}."


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _remove_leftovers(folder: Path, here: str) -> None:
    """Temporary files and folders of processes of this machine that were killed as they wrote."""
    if os.name != "posix":
        return
    for path in folder.glob(f"{glob.escape(here)}*.tmp"):
        pid = path.name.removeprefix(here).removesuffix(".tmp").partition(".")[0]
        if not pid.isdigit() or not 0 < int(pid) < 2**31:
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            _remove(path)
        except PermissionError:
            continue


def _remove(path: Path) -> None:
    """Remove what may lie there: in containers the process that was killed had the same number."""
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

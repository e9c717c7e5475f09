"""A folder of photographs and its ``instances.json``, for the page and nobody else."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from pathlib import Path

from picosam2.data.places import images_of
from picosam2.errors import InputError
from picosam2.files import replacing

ANNOTATIONS = "instances.json"
BACKUP = "instances.json.bak"
# The version of a file that is not there.
NO_FILE = "none"
# What browsers decode.
PHOTOGRAPHS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
}


class ChangedError(Exception):
    """The file is no longer the one that was read."""


class Folder:
    """Reads photographs and annotations of one folder, and writes annotations back.

    Args:
        path: it holds photographs, or an ``images/`` that does, as in COCO format.

    Raises:
        InputError: it is no folder, or holds no photograph.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise InputError(f"{path} is not a folder: give a folder of photographs")
        self.path = path.resolve()
        self._images = images_of(self.path)
        self._lock = threading.Lock()
        self._written = ""
        if not self.photographs():
            raise InputError(f"{path} holds no photograph ({', '.join(PHOTOGRAPHS)})")

    def photographs(self) -> list[str]:
        """Names of the photographs, as an annotation file has them, in alphabetical order.

        Names that are no UTF-8 are left out: no annotation file can have them.
        """
        found = []
        for path in self._images.rglob("*"):
            name = path.relative_to(self._images)
            hidden = any(part.startswith(".") for part in name.parts)
            if not hidden and _is_text(name) and self._is_photograph(path):
                found.append(name.as_posix())
        return sorted(found)

    def photograph(self, name: str) -> Path | None:
        """The file of a photograph; None where there is none of that name in the folder."""
        # Names with a NUL are no paths.
        path = None if "\0" in name else self._images / name
        return path if path is not None and self._is_photograph(path) else None

    def annotations(self) -> tuple[bytes | None, str]:
        """The file's content, None where there is no file, and its version.

        Raises:
            InputError: it cannot be read.
        """
        try:
            content = (self.path / ANNOTATIONS).read_bytes()
        except FileNotFoundError:
            return None, NO_FILE
        except OSError as error:
            raise InputError(f"cannot read {ANNOTATIONS}: {error.strerror}") from None
        return content, version_of(content)

    def write(self, content: bytes, version: str) -> str:
        """Replace the annotations, whole or not at all.

        The file as it was before this process first wrote it stays as ``instances.json.bak``.

        Args:
            content: the new file.
            version: of the file that it was made from.

        Returns:
            The new version.

        Raises:
            ChangedError: the file has another version now.
            InputError: the content is no annotation file, or cannot be written.
        """
        check_annotations(content)
        with self._lock:
            before, found = self.annotations()
            if found != version:
                raise ChangedError
            if before is not None and found != self._written:
                with replacing(self.path / BACKUP) as temporary:
                    shutil.copyfile(self.path / ANNOTATIONS, temporary)
            with replacing(self.path / ANNOTATIONS) as temporary:
                temporary.write_bytes(content)
            self._written = version_of(content)
            return self._written

    def _is_photograph(self, path: Path) -> bool:
        """Whether a path leads to a photograph that lies in the folder, links followed."""
        try:
            inside = path.resolve().is_relative_to(self.path)
            return inside and path.suffix.lower() in PHOTOGRAPHS and path.is_file()
        except (OSError, RuntimeError):
            return False


def _is_text(name: Path) -> bool:
    try:
        str(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def version_of(content: bytes) -> str:
    """The SHA-256 of a file's content, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def check_annotations(content: bytes) -> None:
    """Refuse what is not an annotation file.

    Raises:
        InputError: it is not.
    """
    try:
        file = json.loads(content)
    except (ValueError, RecursionError):
        file = None
    lists = ("images", "annotations", "categories")
    if not isinstance(file, dict) or not all(isinstance(file.get(name), list) for name in lists):
        raise InputError(f"an annotation file is JSON with the lists {', '.join(lists)}")

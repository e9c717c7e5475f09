"""An annotation file in COCO's or LVIS's format, its ids made numbers and its entries sorted."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picosam2.data.keys import as_number, as_text
from picosam2.data.problems import Kind, Problems
from picosam2.errors import InputError

Entry = dict[str, Any]


@dataclass
class CocoFile:
    """What an annotation file says, before its photographs and masks are looked at.

    Args:
        path: of the file.
        digest: SHA-256 of its content.
        images: the entries of photographs by their id, in the file's order.
        objects: the entries of objects, with the id of their photograph, in the file's order.
        categories: the classes' names by their id.
    """

    path: Path
    digest: str
    images: dict[int, Entry] = field(default_factory=dict)
    objects: list[tuple[int, Entry]] = field(default_factory=list)
    categories: dict[int, str] = field(default_factory=dict)

    def note_orphans(self, problems: Problems) -> None:
        """Note the annotations that belong to no image."""
        for image_id, entry in self.objects:
            if image_id not in self.images:
                reason = f"there is no image {entry['image_id']!r}"
                ids = entry_ids(None, entry)
                problems.add(Kind.ORPHAN, self.path.parent, self.path.name, reason, **ids)

    def objects_by_image(self) -> dict[int, list[Entry]]:
        """The entries of objects by the id of their photograph, in the file's order."""
        found: dict[int, list[Entry]] = {}
        for image_id, entry in self.objects:
            found.setdefault(image_id, []).append(entry)
        return found


def read_coco_file(path: Path, problems: Problems) -> CocoFile:
    """Read an annotation file.

    Ids may be numbers or text: ``1`` and ``"1"`` are the same (:func:`keys.as_number`). Of two
    photographs or classes with one id, the first is taken. ``annotations`` may be missing (image
    lists of test sets).

    Args:
        path: the file.
        problems: where to note entries that are no entries, or whose ids are no ids.

    Raises:
        InputError: it cannot be read, or is not in COCO's format.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    with coco_format(path):
        lists = parse_coco(content)
    file = CocoFile(path, hashlib.sha256(content).hexdigest())
    for entry in lists["images"]:
        with _noted(file, Kind.IMAGE, entry, problems):
            number = as_number(entry["id"])
            if number in file.images:
                _note_duplicate(file, "photographs", entry, problems)
            else:
                file.images[number] = entry
    for entry in lists["annotations"]:
        with _noted(file, Kind.ANNOTATION, entry, problems):
            file.objects.append((as_number(entry["image_id"]), entry))
    for entry in lists["categories"]:
        with _noted(file, Kind.CATEGORY, entry, problems):
            if entry["name"] is None:
                raise KeyError("name")
            file.categories.setdefault(as_number(entry["id"]), as_text(entry["name"]))
    return file


def parse_coco(content: bytes) -> dict[str, list[Any]]:
    """The lists ``images``, ``annotations`` and ``categories``; the last two may be missing.

    Raises:
        ValueError, KeyError, TypeError: it is not JSON, or has no such lists.
    """
    try:
        # Python's own parser takes NaN, which other people's tools write for one broken object.
        coco = json.loads(content)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if not isinstance(coco, dict):
        raise ValueError(f"it is a {type(coco).__name__}, not an object with images")
    lists = {
        "images": coco["images"],
        "annotations": coco.get("annotations") or [],
        "categories": coco.get("categories") or [],
    }
    for name, entries in lists.items():
        if not isinstance(entries, list):
            raise ValueError(f"its {name} are a {type(entries).__name__}, not a list")
    return lists


@contextlib.contextmanager
def coco_format(name: Path) -> Iterator[None]:
    """Turn what broken annotations raise into one line about the file ``name``."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"{name} is not in COCO format: {reason}") from None


def entry_ids(image: Any, annotation: Any = None) -> dict[str, Any]:
    """The ids of entries as the file has them, for :meth:`Problems.add`, whatever they are."""
    image_id = image.get("id") if isinstance(image, dict) else None
    annotation_id = annotation.get("id") if isinstance(annotation, dict) else None
    if image_id is None and isinstance(annotation, dict):
        image_id = annotation.get("image_id")
    ids = {"image": image_id, "annotation": annotation_id}
    return {k: v if isinstance(v, int | float | str) else None for k, v in ids.items()}


@contextlib.contextmanager
def _noted(file: CocoFile, kind: Kind, entry: Any, problems: Problems) -> Iterator[None]:
    """Note an entry that raises."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        image, annotation = (entry, None) if kind == Kind.IMAGE else (None, entry)
        ids = {} if kind == Kind.CATEGORY else entry_ids(image, annotation)
        problems.add(kind, file.path.parent, file.path.name, describe(error, entry), **ids)


def describe(error: Exception, entry: Any) -> str:
    """What is wrong with an entry, in a line."""
    if not isinstance(entry, dict):
        return f"{entry!r:.40} is no entry"
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    return str(error) or repr(error)


def _note_duplicate(file: CocoFile, what: str, entry: Entry, problems: Problems) -> None:
    name = str(entry.get("file_name") or file.path.name)
    reason = f"two {what} have the id {entry['id']!r}; the first is taken"
    problems.add(Kind.DUPLICATE, file.path.parent, name, reason, **entry_ids(entry))

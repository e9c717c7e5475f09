"""Where the photographs of an annotation file lie, however it writes their names."""

from __future__ import annotations

from pathlib import Path


def images_of(folder: Path) -> Path:
    """Where the photographs of a folder in COCO format lie: in ``images/``, or in itself.

    The page for the browser writes ``instances.json`` beside the photographs.
    """
    images = folder / "images"
    return images if images.is_dir() else folder


def find_photograph(images: Path, file_name: str, address: str = "") -> Path:
    """The file of a photograph.

    Args:
        images: folder of the photographs, or of COCO's folders ``train2017`` and ``val2017``.
        file_name: as the annotation file has it: a name, a path with ``/`` or backslashes, or one
            that begins with the folder's own name; may be empty where there is an address.
        address: COCO's and LVIS's ``coco_url``, which ends in COCO's folder and name.

    Returns:
        The first of its possible places where there is a file; where there is none, the first.
    """
    places = []
    if file_name:
        path, portable = Path(file_name), Path(file_name.replace("\\", "/"))
        places += [images / path, images / portable]
        if portable.parts[0] == images.name:
            places.append(images.parent / portable)
    if address:
        online = Path(address)
        places += [images / online.parent.name / online.name, images / online.name]
    return next((place for place in places if is_file(place)), places[0])


def is_file(path: Path) -> bool:
    """Whether it is a file, or a link to one, whatever the path is made of."""
    try:
        return path.is_file()
    # A name that is too long, or in a folder that may not be read.
    except OSError:
        return False

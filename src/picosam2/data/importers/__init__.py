"""Public and private formats of annotated photographs: one file a format.

An importer lists the photographs of a source without reading them; ``import_run`` reads, checks
and writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from picosam2.data.header import Exif
from picosam2.data.importers.candidate import Candidate
from picosam2.data.importers.coco import find_coco
from picosam2.data.importers.labelme import find_labelme
from picosam2.data.importers.lvis import find_lvis
from picosam2.data.importers.masks import find_masks
from picosam2.data.importers.photos import find_photos
from picosam2.data.importers.sa1b import find_sa1b
from picosam2.data.importers.voc import find_voc
from picosam2.data.problems import Problems

# Of the source, its split (None: not given), where to note what is left out, and what EXIF is for.
Importer = Callable[[str, str | None, Problems, Exif], Iterable[Candidate]]

IMPORTERS: dict[str, Importer] = {
    "coco": find_coco,
    "lvis": find_lvis,
    "voc": find_voc,
    "sa1b": find_sa1b,
    "masks": find_masks,
    "labelme": find_labelme,
    "photos": find_photos,
}

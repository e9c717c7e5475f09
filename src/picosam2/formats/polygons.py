"""Masks as polygons along the pixels' edges, with holes and parts."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Ring = NDArray[np.float64]


def mask_polygons(mask: NDArray[np.bool_], tolerance: float = 1.0) -> list[shapely.Polygon]:
    """The outline of each part of a mask, with its holes.

    Args:
        mask: H×W bool.
        tolerance: how far the outlines may be from the pixels' edges, in pixels; at 0 they are on
            them. No part and no hole is lost.

    Returns:
        A polygon a part (pixels that touch by a corner only are two), outer rings
        counter-clockwise and holes clockwise as y grows upwards, in pixels: pixel (0, 0) is the
        square from 0 to 1. None for an empty mask.
    """
    # The first and last pixels of the runs of each column; pixels beside the image are background.
    edges = np.diff(np.pad(mask, ((1, 1), (0, 0))).T.astype(np.int8), axis=1)
    columns, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    outline = shapely.union_all(shapely.box(columns, starts, columns + 1, ends))
    simple = shapely.simplify(outline, tolerance, preserve_topology=True)
    parts = shapely.get_parts(simple)
    return [shapely.orient_polygons(part) for part in parts if not part.is_empty]


def outer_ring(polygon: shapely.Polygon) -> Ring:
    """N×2: x and y of its outline, the first point not repeated."""
    ring: Ring = shapely.get_coordinates(polygon.exterior)[:-1]
    return ring


def one_ring(polygons: list[shapely.Polygon]) -> Ring:
    """Polygons as one ring without holes, for formats that have no more.

    Holes and further parts are joined to it by bridges: there and back along the same line, of no
    width, between the nearest points. Even-odd and non-zero filling give the polygons again.

    Args:
        polygons: at least one, oriented as ``mask_polygons`` gives them.

    Returns:
        N×2: x and y in pixels, the first point not repeated.
    """
    rings = [
        shapely.get_coordinates(ring)[:-1]
        for polygon in polygons
        for ring in (polygon.exterior, *polygon.interiors)
    ]
    joined: Ring = rings[0]
    for ring in rings[1:]:
        distances, nearest = cKDTree(joined).query(ring)
        there = int(distances.argmin())
        here = int(nearest[there])
        tour = np.concatenate([ring[there:], ring[: there + 1]])
        joined = np.concatenate([joined[: here + 1], tour, joined[here:]])
    return joined

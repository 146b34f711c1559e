"""Vectors: the only importer of geopandas. Points, lines and polygons, read and burnt in."""

from prospect.vector.burning import HeldLayer, VectorLayer, area_mask
from prospect.vector.frames import (
    DRIVERS,
    frame,
    located,
    points_frame,
    to_crs,
    write_vector,
    write_waypoints,
)
from prospect.vector.opening import VECTOR_SUFFIXES, dbf_encoding, describe
from prospect.vector.reading import Outline, layer_classes, outline, read_points, read_vector

__all__ = [
    "DRIVERS",
    "VECTOR_SUFFIXES",
    "HeldLayer",
    "Outline",
    "VectorLayer",
    "area_mask",
    "dbf_encoding",
    "describe",
    "frame",
    "layer_classes",
    "located",
    "outline",
    "points_frame",
    "read_points",
    "read_vector",
    "to_crs",
    "write_vector",
    "write_waypoints",
]

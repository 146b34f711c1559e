"""Vectors: the only importer of geopandas. Points, lines and polygons, read and burnt in."""

from prospect.vector.burning import HeldLayer, VectorLayer, area_mask
from prospect.vector.checking import VectorCheck, check_vector
from prospect.vector.frames import (
    DRIVERS,
    frame,
    located,
    points_frame,
    to_crs,
    write_dbf,
    write_vector,
    write_waypoints,
)
from prospect.vector.opening import VECTOR_SUFFIXES, dbf_encoding, describe, states_system
from prospect.vector.reading import Outline, layer_classes, outline, read_points, read_vector

__all__ = [
    "DRIVERS",
    "VECTOR_SUFFIXES",
    "HeldLayer",
    "Outline",
    "VectorCheck",
    "VectorLayer",
    "area_mask",
    "check_vector",
    "dbf_encoding",
    "describe",
    "frame",
    "layer_classes",
    "located",
    "outline",
    "points_frame",
    "read_points",
    "read_vector",
    "states_system",
    "to_crs",
    "write_dbf",
    "write_vector",
    "write_waypoints",
]

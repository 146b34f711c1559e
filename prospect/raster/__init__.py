"""Rasters: the only importer of rasterio. Opening, reading, burning in, writing."""

from prospect.raster.burning import burn, polygons
from prospect.raster.cog import DISK_FACTOR, CogBand, CogWriter, Colour, require_space
from prospect.raster.opening import (
    GDAL_VERSION,
    RasterInfo,
    read_info,
    read_tags,
    require_file,
    safe_open,
)
from prospect.raster.palette import write_palette
from prospect.raster.reading import Alignment, align, read_native
from prospect.raster.sidecars import SIDECARS, read_class_names
from prospect.raster.writing import (
    atomic_path,
    require_writable_folder,
    write_geotiff,
)

__all__ = [
    "DISK_FACTOR",
    "GDAL_VERSION",
    "SIDECARS",
    "Alignment",
    "CogBand",
    "CogWriter",
    "Colour",
    "RasterInfo",
    "align",
    "atomic_path",
    "burn",
    "polygons",
    "read_class_names",
    "read_info",
    "read_native",
    "read_tags",
    "require_file",
    "require_space",
    "require_writable_folder",
    "safe_open",
    "write_geotiff",
    "write_palette",
]

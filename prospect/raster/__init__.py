"""Rasters: the only importer of rasterio. Opening, reading, burning in, writing."""

from prospect.raster.burning import burn, polygons
from prospect.raster.opening import GDAL_VERSION, RasterInfo, read_info, require_file, safe_open
from prospect.raster.palette import write_palette
from prospect.raster.reading import Alignment, align, read_native
from prospect.raster.writing import (
    CogWriter,
    atomic_path,
    require_writable_folder,
    write_geotiff,
)

__all__ = [
    "GDAL_VERSION",
    "Alignment",
    "CogWriter",
    "RasterInfo",
    "align",
    "atomic_path",
    "burn",
    "polygons",
    "read_info",
    "read_native",
    "require_file",
    "require_writable_folder",
    "safe_open",
    "write_geotiff",
    "write_palette",
]

"""The synthetic region as a folder of files, as a geologist would be handed one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from prospect.raster import write_geotiff
from prospect.synthetic.region import Region
from prospect.vector import write_vector

_VECTORS = """
[vectors.thrusts]
path = "faults.gpkg"
layer = "faults"
where = "kind = 'thrust'"
role = "faults.thrust"

[vectors.strike_slip]
path = "faults.gpkg"
layer = "faults"
where = "kind = 'strike_slip'"
role = "faults.strike_slip"

[occurrences]
path = "occurrences.csv"
commodity = "commodity"
status = "status"
crs = "{crs}"
"""

_README = """\
A region that never was
=======================

Made by prospect.synthetic.make_region(seed={seed}, realisation={realisation}): {grid}.
Nothing in it is real, wherever it may lie on the globe and whatever its places are called.

prospect.toml       what each file is; start here
*.tif               layers; NaN is a gap, in lithology 0 (ground under Quaternary cover)
faults.gpkg         thrusts and strike-slip faults (kind, name)
geology.gpkg        the lithology as polygons (unit)
licence_blocks.gpkg blocks to compare (name)
occurrences.csv     what is known: fewer than half of the deposits, with satellites,
                    duplicates, misplaced points and a few wrong commodities
assays.csv          stream sediments, ppm; "<" is below the detection limit
boreholes.csv       of the coal basins: depth to their bottom, thickness of coal, and
                    whether there is coal (1) or not (0)
truth/              what no one would know: expected deposits in each cell (*_intensity.tif)
                    and every deposit drawn from them (deposits.csv). Never train on it.

The rocks: {classes}.
"""


def write_region(region: Region, folder: Path | str) -> Path:
    """
    Write a region as GeoTIFFs, GeoPackages, tables and a ``prospect.toml``.

    Parameters
    ----------
    region : Region
    folder : path
        Made when it does not exist. Files of the same names are replaced.

    Returns
    -------
    Path
        The folder. Gaps are NaN in float32 layers and the nodata value in byte layers.
    """
    folder = Path(folder)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for name, layer in region.layers.items():
        _write_layer(layer, region, folder / f"{name}.tif")
    for name, field in region.truth.intensity.items():
        path = folder / "truth" / f"{name}_intensity.tif"
        description = f"Expected {name} deposits per cell"
        write_geotiff(path, field.to_numpy(), region.grid, nodata=np.nan, description=description)
    for name in ("faults", "geology", "licence_blocks"):
        write_vector(getattr(region, name), folder / f"{name}.gpkg", layer=name)
    for file, table in (
        ("occurrences.csv", region.occurrences),
        ("assays.csv", region.assays),
        ("boreholes.csv", region.boreholes),
        ("truth/deposits.csv", region.truth.deposits.round({"x": 0, "y": 0})),
    ):
        table.to_csv(folder / file, index=False, encoding="utf-8", lineterminator="\n")
    text = _README.format(
        seed=region.seed,
        realisation=region.realisation,
        grid=region.grid.describe(),
        classes=", ".join(region.classes.values()),
    )
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
    (folder / "prospect.toml").write_text(_project(region), encoding="utf-8", newline="\n")
    return folder


def _write_layer(layer: xr.DataArray, region: Region, path: Path) -> None:
    """One layer; categories as bytes, with a nodata value that is no class."""
    values, nodata = layer.to_numpy(), np.nan
    if layer.attrs["kind"] == "categorical":
        nodata = 255 if 0 in layer.attrs["classes"] else 0
        values = np.where(values < 0, nodata, values).astype(np.uint8)
    write_geotiff(
        path,
        values,
        region.grid,
        nodata=nodata,
        description=layer.attrs["long_name"],
        unit=layer.attrs["units"],
    )


def _project(region: Region) -> str:
    """The text of ``prospect.toml``."""
    tables = ['format = 1\n\n[grid]\nlike = "magnetics"\n']
    for name, layer in region.layers.items():
        attrs = layer.attrs
        required = str(attrs.get("required", False)).lower()
        tables.append(
            f'[layers.{name}]\npath = "{name}.tif"\nband = 1\nrole = "{attrs["role"]}"\n'
            f'unit = "{attrs["units"]}"\nkind = "{attrs["kind"]}"\nrequired = {required}\n'
        )
        if "classes" in attrs:
            rows = "".join(f'"{code}" = "{unit}"\n' for code, unit in attrs["classes"].items())
            tables.append(f"[layers.{name}.classes]\n{rows}")
    crs = f"EPSG:{region.grid.crs.to_epsg()}"
    return "\n".join(tables) + _VECTORS.format(crs=crs)

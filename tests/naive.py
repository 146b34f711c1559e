"""Oracles: what an operation means, in plain NumPy and float64, one cell after another."""

from __future__ import annotations

from itertools import pairwise
from unittest import mock

import numpy as np

from prospect import grid
from prospect.features.operation import gap_of


def apply(operation, layer, cell, lattice=None, tile=None, **parameters):
    """What an operation's compute answers, whole or by tiles of so many lattice blocks."""
    rows, cols = operation.halo(cell, {**defaults(operation), **parameters})
    height, width = layer.shape
    padded = np.pad(layer, ((rows, rows), (cols, cols)), constant_values=gap_of(layer.dtype))
    names = operation.columns({**defaults(operation), **parameters}) if operation.columns else None
    out = np.empty((*(() if names is None else (len(names),)), height, width), np.float32)
    lattice = lattice or grid.LATTICE
    tall, broad = (height, width) if tile is None else (tile[0] * lattice, tile[1] * lattice)
    with mock.patch.object(grid, "LATTICE", lattice):
        for y in range(0, height, tall):
            for x in range(0, width, broad):
                part = np.empty_like(out[..., y : y + tall, x : x + broad], order="C")
                near = padded[y : y + part.shape[-2] + 2 * rows, x : x + part.shape[-1] + 2 * cols]
                block = np.ascontiguousarray(near)
                operation.compute(block, out=part, cell=cell, **parameters)
                out[..., y : y + tall, x : x + broad] = part
    return out


def defaults(operation):
    """An operation's parameters that have a default."""
    known = operation.signature.parameters.items()
    return {name: p.default for name, p in known if p.default is not p.empty}


def field(shape, gaps=0.0, offset=0.0, seed=0):
    """Noise about an offset, a share of it gaps."""
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=shape) + offset).astype(np.float32)
    values[rng.random(shape) < gaps] = np.nan
    return values


def windows(layer, rows, cols, inside=None):
    """Every cell's window as one axis; beyond the edge NaN, and only cells ``inside`` it."""
    layer = np.asarray(layer, np.float64)
    padded = np.pad(layer, ((rows, rows), (cols, cols)), constant_values=np.nan)
    seen = np.lib.stride_tricks.sliding_window_view(padded, (2 * rows + 1, 2 * cols + 1))
    return seen.reshape(*layer.shape, -1) if inside is None else seen[:, :, inside]


def focal(layer, rows, cols, measure, min_valid=0.25, inside=None):
    """A measure of the valid values of every window; NaN in gaps and with too few."""
    seen = windows(layer, rows, cols, inside)
    out = np.full(layer.shape, np.nan)
    for index in np.ndindex(layer.shape):
        values = seen[index][~np.isnan(seen[index])]
        if not np.isnan(layer[index]) and values.size >= max(1, min_valid * seen.shape[-1] - 1e-6):
            out[index] = measure(values)
    return out


def distance(source, dy, dx, cap):
    """Distance to the nearest True between centres, at most the cap."""
    y, x = np.nonzero(source)
    rows, cols = np.indices(source.shape)
    if y.size == 0:
        return np.full(source.shape, float(cap))
    away = np.hypot((rows[..., None] - y) * dy, (cols[..., None] - x) * dx)
    return np.minimum(away.min(axis=-1), cap)


def terrain(layer, dy, dx, horn=True, azimuth=315.0, altitude=45.0):
    """All derivatives from 3 × 3 cells by the books; NaN beside gaps and on the outer ring."""
    z = np.pad(np.asarray(layer, np.float64), 1, constant_values=np.nan)
    h, w = layer.shape
    a, b, c, d, e, f, g, m, i = (z[r : r + h, k : k + w] for r in range(3) for k in range(3))
    nine = np.stack([a, b, c, d, e, f, g, m, i])
    gap = 0 * nine.sum(axis=0)
    east, north = (f - d) / (2 * dx), (b - m) / (2 * dy)
    p, q = east, north
    if horn:
        p = ((c + 2 * f + i) - (a + 2 * d + g)) / (8 * dx)
        q = ((a + 2 * b + c) - (g + 2 * m + i)) / (8 * dy)
    rise = np.hypot(p, q)
    flat = rise == 0
    xx = ((d + f) / 2 - e) / dx**2
    yy = ((b + m) / 2 - e) / dy**2
    xy = (c - a - i + g) / (4 * dx * dy)
    steep = east**2 + north**2
    safe = np.where(steep == 0, np.inf, steep)
    sun = np.radians(azimuth), np.radians(altitude)
    light = np.sin(sun[1]) - np.cos(sun[1]) * (np.sin(sun[0]) * p + np.cos(sun[0]) * q)
    result = {
        "slope": np.degrees(np.arctan(rise)),
        "aspect": np.where(flat, np.nan, np.degrees(np.arctan2(-p, -q)) % 360),
        "eastness": -p / np.where(flat, 1, rise),
        "northness": -q / np.where(flat, 1, rise),
        "profile_curvature": -2 * (xx * east**2 + yy * north**2 + xy * east * north) / safe,
        "plan_curvature": -2 * (xx * north**2 + yy * east**2 - xy * east * north) / safe,
        "total_curvature": -2 * (xx + yy),
        "ruggedness": np.sqrt(((nine - e) ** 2).sum(axis=0)),
        "position": e - (nine.sum(axis=0) - e) / 8,
        "roughness": nine.max(axis=0) - nine.min(axis=0),
        "hillshade": np.maximum(light / np.sqrt(1 + rise**2), 0),
        "normal": np.stack([p, q, np.ones_like(p)]) / np.sqrt(1 + rise**2),
    }
    return {name: values + gap for name, values in result.items()}


def log(layer):
    """Decimal logarithm; what is not positive becomes half the smallest positive value."""
    layer = np.asarray(layer, np.float64)
    floor = layer[layer > 0].min() / 2
    return np.log10(np.where(np.isnan(layer), np.nan, np.maximum(layer, floor)))


def robust_z(layer):
    """Distance from the median in interquartile ranges of a normal distribution."""
    layer = np.asarray(layer, np.float64)
    low, middle, high = np.nanpercentile(layer, [25, 50, 75])
    return (layer - middle) / ((high - low) / 1.349)


def one_hot(codes, classes):
    """One plane a class; NaN in gaps."""
    return np.array([np.where(codes == -1, np.nan, codes == k) for k in classes])


def horizontal_gradient(layer, dy, dx):
    """Central differences, one cell after another."""
    layer = np.asarray(layer, np.float64)
    out = np.full(layer.shape, np.nan)
    for i in range(1, layer.shape[0] - 1):
        for j in range(1, layer.shape[1] - 1):
            if not np.isnan(layer[i, j]):
                east = (layer[i, j + 1] - layer[i, j - 1]) / (2 * dx)
                north = (layer[i - 1, j] - layer[i + 1, j]) / (2 * dy)
                out[i, j] = np.sqrt(east**2 + north**2)
    return out


def contacts(layer, codes, others):
    """Cells of a group that share an edge with a cell of the other, one after another."""
    out = np.zeros(layer.shape, bool)
    for i, j in np.ndindex(layer.shape):
        for y, x in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if 0 <= y < layer.shape[0] and 0 <= x < layer.shape[1]:
                pair = (layer[i, j], layer[y, x])
                out[i, j] |= pair[0] in codes and pair[1] in others
                out[i, j] |= pair[1] in codes and pair[0] in others
    return out


def logarithms(*layers):
    """Natural logarithms over half each layer's least positive value, where all are valid."""
    layers = [np.asarray(layer, np.float64) for layer in layers]
    valid = ~np.isnan(layers).any(axis=0)
    floors = [layer[layer > 0].min() / 2 for layer in layers]
    return np.array(
        [
            np.log(np.where(valid, np.maximum(x, f), np.nan))
            for x, f in zip(layers, floors, strict=True)
        ]
    )


def levelled_z(layer, rock, least=30):
    """Robust z within each class; within the whole for rare ones."""
    out = np.full(layer.shape, np.nan)
    valid = ~np.isnan(layer) & (rock >= 0)
    for index in zip(*np.nonzero(valid), strict=True):
        same = valid & (rock == rock[index])
        seen = np.asarray(layer[same if same.sum() >= least else valid], np.float64)
        low, middle, high = np.percentile(seen, [25, 50, 75])
        out[index] = (layer[index] - middle) / ((high - low) / 1.349)
    return out


def local_anomaly(layer, inside, ring, rows, cols, min_valid=0.25):
    """Mean of an inner window less that of a ring."""
    near, far = windows(layer, rows, cols, inside), windows(layer, rows, cols, ring)
    out = np.full(layer.shape, np.nan)
    for index in np.ndindex(layer.shape):
        seen = far[index][~np.isnan(far[index])]
        if not np.isnan(layer[index]) and seen.size >= max(1, min_valid * ring.sum() - 1e-6):
            out[index] = np.nanmean(near[index]) - seen.mean()
    return out


def wavenumbers(field, dy, dx, factors):
    """A field without gaps, filtered in one transform; ``factors`` of k east and north."""
    north = -2 * np.pi * np.fft.fftfreq(field.shape[0], dy)[:, None]
    east = 2 * np.pi * np.fft.fftfreq(field.shape[1], dx)[None, :]
    return np.fft.ifft2(np.fft.fft2(np.asarray(field, np.float64)) * factors(east, north)).real


def fractal(side, power, seed=0):
    """A random periodic field whose spectral power falls as that power of the wavenumber."""
    rng = np.random.default_rng(seed)
    size = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij"))
    size[0, 0] = np.inf
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) * size ** (-power / 2)).real
    return field / field.std()


def prism(east, north, depth, half_east, half_north):
    """Anomaly at the pole of a vertical prism without bottom: the solid angle of its top."""
    total = 0.0
    for x, sign_x in ((east + half_east, 1), (east - half_east, -1)):
        for y, sign_y in ((north + half_north, 1), (north - half_north, -1)):
            far = np.sqrt(x * x + y * y + depth * depth)
            total = total + sign_x * sign_y * np.arctan2(x * y, depth * far)
    return total


def dipole(east, north, depth, inclination, declination):
    """Total-field anomaly of a dipole magnetised along the field, about 1."""
    dip, turn = np.radians([inclination, declination])
    # East, north, down.
    way = np.array([np.cos(dip) * np.sin(turn), np.cos(dip) * np.cos(turn), np.sin(dip)])
    away = np.array(np.broadcast_arrays(east, north, -depth), float)
    length = np.sqrt(np.square(away).sum(axis=0))
    along = np.einsum("i,i...->...", way, away)
    return depth**3 * (3 * along**2 / length**5 - 1 / length**3) / 2


def prism_gravity(east, north, top, bottom, half_east, half_north):
    """Gravity of a vertical prism of 1 kg/m3, mGal (Nagy, 1966)."""
    total = 0.0
    for x, sign_x in ((east + half_east, 1), (east - half_east, -1)):
        for y, sign_y in ((north + half_north, 1), (north - half_north, -1)):
            for z, sign_z in ((bottom, 1), (top, -1)):
                far = np.sqrt(x * x + y * y + z * z)
                part = x * np.log(y + far) + y * np.log(x + far) - z * np.arctan2(x * y, z * far)
                total = total - sign_x * sign_y * sign_z * part
    return 6.6743e-11 * 1e5 * total


def on_contour(layer, level):
    """Cells next to where a layer passes through a level, one after another."""
    out = np.zeros(layer.shape, bool)
    for i, j in np.ndindex(layer.shape):
        here = layer[i, j] - level
        for y, x in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if 0 <= y < layer.shape[0] and 0 <= x < layer.shape[1]:
                there = layer[y, x] - level
                apart = here * there < 0 or (here < 0 and there == 0) or (here == 0 and there < 0)
                out[i, j] |= apart and abs(here) <= abs(there)
        out[i, j] |= here == 0
    return out


def line_parts(lines, where):
    """Length of the lines in every cell, and it times cosine and sine of twice the strike."""
    import shapely

    out = np.zeros((3, *where.shape))
    step, drop = where.transform.a, -where.transform.e
    for line in lines:
        points = shapely.get_coordinates(line)
        for (x, y), (u, v) in pairwise(points):
            segment, strike = shapely.LineString([(x, y), (u, v)]), np.arctan2(u - x, v - y)
            for i, j in np.ndindex(where.shape):
                west, north = where.transform.c + j * step, where.transform.f - i * drop
                cell = shapely.box(west, north - drop, west + step, north)
                if cell.intersects(segment):
                    length = cell.intersection(segment).length
                    out[:, i, j] += np.multiply(length, [1, np.cos(2 * strike), np.sin(2 * strike)])
    return out


def network_nodes(lines, snap):
    """Points that lines leave in three ways or more, counted on a circle about them."""
    import shapely

    ends = [shapely.Point(p) for line in lines for p in (line.coords[0], line.coords[-1])]
    found = []
    for k, one in enumerate(lines):
        for two in lines[k + 1 :]:
            found += list(shapely.get_parts(one.intersection(two)))
        found += [end for end in ends if one.distance(end) <= snap]
        # Where a line crosses itself it falls apart.
        for piece in shapely.get_parts(shapely.node(one)):
            found += [shapely.Point(p) for p in (piece.coords[0], piece.coords[-1])]
    kept = []
    for point in found:
        ring = point.buffer(1.05 * snap, quad_segs=64).exterior
        ways = {
            tuple(np.round(corner, 3))
            for line in lines
            for corner in shapely.get_coordinates(ring.intersection(line))
        }
        if len(ways) > 2 and all(point.distance(other) > 2 * snap for other in kept):
            kept.append(point)
    return np.array([(p.x, p.y) for p in kept]).reshape(-1, 2)


def boyce(deposits, area, windows=100, width=0.1):
    """Predicted over expected in windows of the score, and Spearman's correlation by hand."""
    everything = np.concatenate([deposits, area])
    low, high = everything.min(), everything.max()
    span = width * (high - low)
    starts, ratios = [], []
    for start in np.linspace(low, high - span, windows):
        found = ((deposits >= start) & (deposits <= start + span)).mean()
        ground = ((area >= start) & (area <= start + span)).mean()
        if ground > 0:
            starts.append(start)
            ratios.append(round(found / ground, 12))
    order = [sum(r < s for r in ratios) + sum(r == s for r in ratios) / 2 for s in ratios]
    return np.corrcoef(np.arange(len(starts)), order)[0, 1]


def way_down(tree, cell):
    """Nodes of a scikit-learn tree that a cell passes, from the root to its leaf."""
    nodes = [0]
    while tree.children_left[nodes[-1]] != -1:
        node = nodes[-1]
        value = np.float32(cell[tree.feature[node]])
        left = tree.missing_go_to_left[node] if np.isnan(value) else value <= tree.threshold[node]
        nodes.append((tree.children_left if left else tree.children_right)[node])
    return nodes


def tree_contributions(trees, cells):
    """What each feature adds to the mean of trees, of shape (feature, cell), walked one by one."""
    told = np.zeros((cells.shape[1], len(cells)))
    for tree in trees:
        for i, cell in enumerate(cells):
            for node, child in pairwise(way_down(tree, cell)):
                change = tree.value[child, 0, 1] - tree.value[node, 0, 1]
                told[tree.feature[node], i] += change / len(trees)
    return told


def boosting_contributions(boosting, cells):
    """What each feature adds to the raw score of histogram boosting, of shape (feature, cell)."""
    told = np.zeros((cells.shape[1], len(cells)))
    for (predictor,) in boosting._predictors:
        nodes = predictor.nodes
        means = [mean_below(nodes, node) for node in range(len(nodes))]
        for i, cell in enumerate(cells):
            node = 0
            while not nodes["is_leaf"][node]:
                feature = nodes["feature_idx"][node]
                value, left = cell[feature], nodes["missing_go_to_left"][node]
                if not np.isnan(value):
                    left = value <= nodes["num_threshold"][node]
                child = nodes["left" if left else "right"][node]
                told[feature, i] += means[child] - means[node]
                node = child
    return told


def mean_below(nodes, node):
    """Mean of the leaves below a node of histogram boosting, by the cells they learnt from."""
    if nodes["is_leaf"][node]:
        return nodes["value"][node]
    below = [nodes["left"][node], nodes["right"][node]]
    return np.average([mean_below(nodes, n) for n in below], weights=nodes["count"][below])

"""The fixed recipe as a careful script would do it: SciPy, OpenCV, NumPy, the best for each.

Stripes of rows on as many threads as ours, halos sliced from layers padded beforehand (which is
not timed), windows shared where rows share them, outputs reused. Gaps are skipped as ours are,
but for medians, which none of the three can skip: they see gaps filled with the mean around.
"""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from scipy import ndimage

PAD = 128
STRIPE = 256
NAN = np.float32(np.nan)


class Peer:
    """Computes stripes of a recipe's rows; ``steps`` carry the statistics that were learnt."""

    def __init__(self, layers: dict[str, np.ndarray], steps, cell: float, threads: int) -> None:
        cv2.setNumThreads(1)
        self.steps, self.cell, self.threads = steps, cell, threads
        self.shape = next(iter(layers.values())).shape
        self.layers = {
            name: np.pad(a, PAD, constant_values=-1 if a.dtype.kind == "i" else np.nan)
            for name, a in layers.items()
        }
        self.count = sum(len(step.columns) for step in steps)
        self.local = threading.local()
        self.pool = ThreadPoolExecutor(threads)
        self.maps: dict = {}

    def run(self, keep: np.ndarray | None = None) -> None:
        """All features of all cells, kept or not."""
        self.maps = self.distances()
        starts = range(0, self.shape[0], STRIPE)

        def one(top: int) -> None:
            rows = min(STRIPE, self.shape[0] - top)
            if not hasattr(self.local, "out"):
                self.local.out = np.empty((self.count, STRIPE, self.shape[1]), np.float32)
            out = self.local.out[:, :rows]
            self.stripe(top, out)
            if keep is not None:
                keep[:, top : top + rows] = out

        list(self.pool.map(one, starts))

    def distances(self) -> dict:
        """Whole maps, a thread each: a transform by stripes would do its halo twice."""
        jobs = {}
        for step in self.steps:
            if step.operation.name in ("distance_to", "proximity", "distance_to_classes"):
                jobs.setdefault((step.spec.of[0], tuple(step.parameters.get("codes", ()))), None)

        def one(job):
            name, codes = job
            near = slice(PAD, -PAD)
            layer = self.layers[name][near, near]
            source = np.isin(layer, codes) if codes else layer > 0
            away = cv2.distanceTransform(
                (~source).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
            )
            away *= np.float32(self.cell)
            return away

        return dict(zip(jobs, self.pool.map(one, jobs), strict=True))

    def stripe(self, top: int, out: np.ndarray) -> None:
        tile = Tile(self, top, out.shape[1])
        at = 0
        with np.errstate(invalid="ignore", divide="ignore"):
            for step in self.steps:
                many = len(step.columns)
                tile.row(step, out[at : at + many])
                at += many


class Tile:
    """One stripe: what rows share is computed once."""

    def __init__(self, peer: Peer, top: int, rows: int) -> None:
        self.peer, self.top, self.rows = peer, top, rows
        self.cols = peer.shape[1]
        self.shared: dict = {}

    def near(self, name: str, halo: int) -> np.ndarray:
        """A layer's stripe with a halo; of an earlier log, the log of the layer's."""
        layer = self.peer.layers.get(name)
        rows = slice(self.top + PAD - halo, self.top + PAD + self.rows + halo)
        cols = slice(PAD - halo, PAD + self.cols + halo)
        if layer is not None:
            return layer[rows, cols]
        step = next(s for s in self.peer.steps if s.name == name)
        key = ("made", name, halo)
        if key not in self.shared:
            block = np.maximum(
                self.peer.layers[step.spec.of[0]][rows, cols], np.float32(step.parameters["floor"])
            )
            self.shared[key] = np.log10(block, out=block)
        return self.shared[key]

    def once(self, key, make):
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]

    def valid(self, name: str, halo: int) -> np.ndarray:
        block = self.near(name, halo)
        return self.once(("valid", name, halo), lambda: (block == block).astype(np.float32))

    def filled(self, name: str, halo: int) -> np.ndarray:
        return self.once(
            ("filled", name, halo), lambda: cv2.patchNaNs(np.array(self.near(name, halo)), 0.0)
        )

    def box(self, values: np.ndarray, r: int, square: bool = False) -> np.ndarray:
        filtered = (cv2.sqrBoxFilter if square else cv2.boxFilter)(
            values,
            cv2.CV_32F,
            (2 * r + 1, 2 * r + 1),
            normalize=False,
            borderType=cv2.BORDER_CONSTANT,
        )
        return filtered[r:-r, r:-r]

    def number(self, name: str, r: int) -> np.ndarray:
        return self.once(("count", name, r), lambda: self.box(self.valid(name, r), r))

    def unknown(self, name: str, r: int, min_valid: float) -> np.ndarray:
        def make():
            needed = max(1, math.ceil(min_valid * (2 * r + 1) ** 2))
            centre = self.near(name, 0)
            return (self.number(name, r) < needed) | (centre != centre)

        return self.once(("unknown", name, r, min_valid), make)

    def mean(self, name: str, r: int) -> np.ndarray:
        return self.once(
            ("mean", name, r), lambda: self.box(self.filled(name, r), r) / self.number(name, r)
        )

    def std(self, name: str, r: int) -> np.ndarray:
        def make():
            square = self.box(self.filled(name, r), r, square=True)
            square = cv2.divide(square, np.ascontiguousarray(self.number(name, r)), square)
            mean = self.mean(name, r)
            square -= mean * mean
            return cv2.sqrt(np.maximum(square, 0, out=square), square)

        return self.once(("std", name, r), make)

    def extreme(self, name: str, r: int, highest: bool) -> np.ndarray:
        def make():
            block = cv2.patchNaNs(np.array(self.near(name, r)), -np.inf if highest else np.inf)
            side = np.ones((2 * r + 1, 2 * r + 1), np.uint8)
            return (cv2.dilate if highest else cv2.erode)(block, side)[r:-r, r:-r]

        return self.once(("max" if highest else "min", name, r), make)

    def slopes(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Rise to the east and to the north, Horn's."""

        def make():
            block = np.ascontiguousarray(self.near(name, 1))
            scale = 1 / (8 * self.peer.cell)
            east = cv2.Sobel(block, cv2.CV_32F, 1, 0, scale=scale)[1:-1, 1:-1]
            north = cv2.Sobel(block, cv2.CV_32F, 0, 1, scale=-scale)[1:-1, 1:-1]
            # Neither sees the middle of its window.
            return east, north + self.near(name, 0) * np.float32(0)

        return self.once(("slopes", name), make)

    def bends(self, name: str):
        """Second derivatives and gradient of Zevenbergen and Thorne."""

        def make():
            b, cell = self.near(name, 1), self.peer.cell
            middle = b[1:-1, 1:-1]
            two = middle + middle
            d = (b[1:-1, :-2] + b[1:-1, 2:] - two) * np.float32(0.5 / cell**2)
            e = (b[:-2, 1:-1] + b[2:, 1:-1] - two) * np.float32(0.5 / cell**2)
            return d, e

        return self.once(("bends", name), make)

    def row(self, step, out: np.ndarray) -> None:
        """Fill ``out`` with a row of the recipe."""
        getattr(self, f"of_{step.operation.name}")(step.spec.of[0], out, **step.parameters)

    def reach(self, metres: float) -> int:
        return math.ceil(metres / self.peer.cell)

    def of_focal_mean(self, name, out, radius, min_valid, shape):
        r = self.reach(radius)
        np.copyto(out[0], self.mean(name, r))
        out[0][self.unknown(name, r, min_valid)] = NAN

    def of_focal_std(self, name, out, radius, min_valid, shape):
        r = self.reach(radius)
        np.copyto(out[0], self.std(name, r))
        out[0][self.unknown(name, r, min_valid)] = NAN

    def of_local_z(self, name, out, radius, min_valid, shape):
        r = self.reach(radius)
        np.subtract(self.near(name, 0), self.mean(name, r), out=out[0])
        out[0] /= self.std(name, r)
        out[0][self.unknown(name, r, min_valid)] = NAN

    def of_focal_min(self, name, out, radius, min_valid, shape):
        r = self.reach(radius)
        np.copyto(out[0], self.extreme(name, r, False))
        out[0][self.unknown(name, r, min_valid)] = NAN

    def of_focal_max(self, name, out, radius, min_valid, shape):
        r = self.reach(radius)
        np.copyto(out[0], self.extreme(name, r, True))
        out[0][self.unknown(name, r, min_valid)] = NAN

    def of_focal_range(self, name, out, radius, min_valid, shape):
        r = self.reach(radius)
        np.subtract(self.extreme(name, r, True), self.extreme(name, r, False), out=out[0])
        out[0][self.unknown(name, r, min_valid)] = NAN

    def of_topographic_position(self, name, out, radius, min_valid):
        r = self.reach(radius)
        np.subtract(self.near(name, 0), self.mean(name, r), out=out[0])
        out[0][self.unknown(name, r, min_valid)] = NAN

    def of_focal_median(self, name, out, radius, min_valid, shape):
        r = self.reach(radius)
        around = self.box(self.filled(name, 2 * r), r)
        around /= self.box(self.valid(name, 2 * r), r)
        block = np.array(self.near(name, r))
        hole = block != block
        block[hole] = around[hole]
        if r <= 2:
            filtered = cv2.medianBlur(block, 2 * r + 1)
        else:
            filtered = ndimage.median_filter(block, 2 * r + 1)
        np.copyto(out[0], filtered[r:-r, r:-r])
        centre = self.near(name, 0)
        out[0][centre != centre] = NAN

    def bell(self, name: str, sigma: float) -> np.ndarray:
        r = self.reach(4 * sigma)

        def blur(values):
            side, s = (2 * r + 1, 2 * r + 1), sigma / self.peer.cell
            return cv2.GaussianBlur(values, side, s, borderType=cv2.BORDER_CONSTANT)[r:-r, r:-r]

        weight = blur(self.valid(name, r))
        smooth = blur(self.filled(name, r)) / weight
        smooth[weight < 0.25] = NAN
        return smooth

    def of_gaussian(self, name, out, sigma, min_valid):
        np.copyto(out[0], self.bell(name, sigma))
        centre = self.near(name, 0)
        out[0][centre != centre] = NAN

    def of_difference_of_gaussians(self, name, out, fine, coarse, min_valid):
        np.subtract(self.bell(name, fine), self.bell(name, coarse), out=out[0])
        centre = self.near(name, 0)
        out[0][centre != centre] = NAN

    def of_horizontal_gradient(self, name, out):
        block = self.near(name, 1)
        east = block[1:-1, 2:] - block[1:-1, :-2]
        north = block[:-2, 1:-1] - block[2:, 1:-1]
        cv2.magnitude(east, north, out[0])
        out[0] *= np.float32(0.5 / self.peer.cell)
        out[0] += block[1:-1, 1:-1] * np.float32(0)

    def of_slope(self, name, out, method):
        p, q = self.slopes(name)
        steep = cv2.magnitude(np.ascontiguousarray(p), q)
        np.arctan(steep, out=out[0])
        out[0] *= np.float32(180 / math.pi)

    def of_eastness(self, name, out, method):
        p, q = self.slopes(name)
        steep = cv2.magnitude(np.ascontiguousarray(p), q)
        np.divide(p, -steep, out=out[0])

    def of_northness(self, name, out, method):
        p, q = self.slopes(name)
        steep = cv2.magnitude(np.ascontiguousarray(p), q)
        np.divide(q, -steep, out=out[0])

    def of_total_curvature(self, name, out):
        d, e = self.bends(name)
        np.add(d, e, out=out[0])
        out[0] *= np.float32(-2)
        out[0] += self.slopes(name)[0] * np.float32(0)

    def of_profile_curvature(self, name, out):
        d, e = self.bends(name)
        b, cell = self.near(name, 1), self.peer.cell
        g = (b[1:-1, 2:] - b[1:-1, :-2]) * np.float32(0.5 / cell)
        h = (b[:-2, 1:-1] - b[2:, 1:-1]) * np.float32(0.5 / cell)
        f = (b[:-2, 2:] - b[:-2, :-2] - b[2:, 2:] + b[2:, :-2]) * np.float32(0.25 / cell**2)
        gg, hh = g * g, h * h
        f *= g
        f *= h
        f += d * gg
        f += e * hh
        gg += hh
        f *= np.float32(-2)
        np.divide(f, gg, out=out[0])

    def of_ruggedness(self, name, out):
        b = self.near(name, 1)
        centre, total = b[1:-1, 1:-1], out[0]
        total[:] = 0
        part = np.empty_like(total)
        for i in range(3):
            for j in range(3):
                if i != 1 or j != 1:
                    np.subtract(b[i : i + self.rows, j : j + self.cols], centre, out=part)
                    part *= part
                    total += part
        cv2.sqrt(total, total)

    def of_roughness(self, name, out):
        np.subtract(self.extreme(name, 1, True), self.extreme(name, 1, False), out=out[0])
        out[0] += self.slopes(name)[0] * np.float32(0)
        out[0] += self.slopes(name)[1] * np.float32(0)

    def of_log(self, name, out, floor):
        np.maximum(self.near(name, 0), np.float32(floor), out=out[0])
        np.log10(out[0], out=out[0])

    def of_robust_z(self, name, out, median, spread):
        np.subtract(self.near(name, 0), np.float32(median), out=out[0])
        out[0] *= np.float32(1 / spread)

    def of_value(self, name, out):
        np.copyto(out[0], self.near(name, 0))

    def of_one_hot(self, name, out, codes, **_):
        layer = self.near(name, 0)
        gaps = layer == -1
        for column, code in zip(out, codes, strict=True):
            np.equal(layer, code, out=column, casting="unsafe")
            column[gaps] = NAN

    def away(self, name, codes=()):
        return self.peer.maps[name, tuple(codes)][self.top : self.top + self.rows]

    def of_distance_to(self, name, out, cap):
        np.minimum(self.away(name), np.float32(cap), out=out[0])

    def of_distance_to_classes(self, name, out, classes, codes, cap):
        np.minimum(self.away(name, codes), np.float32(cap), out=out[0])

    def of_proximity(self, name, out, scale, cap):
        np.minimum(self.away(name), np.float32(cap or max(10_000, 4 * scale)), out=out[0])
        out[0] *= np.float32(-1 / scale)
        np.exp(out[0], out=out[0])

    def of_line_density(self, name, out, radius, shape, sigma=0.0):
        r, cell = self.reach(radius), np.float32(self.peer.cell)
        block = self.near(name, r + 1)
        line = block > 0
        here, north, south = line[1:-1, 1:-1], line[:-2, 1:-1], line[2:, 1:-1]
        west, east = line[1:-1, :-2], line[1:-1, 2:]
        length = (north.astype(np.float32) + south + west + east) * cell
        for corner, beside, above in (
            (line[:-2, :-2], west, north),
            (line[:-2, 2:], east, north),
            (line[2:, :-2], west, south),
            (line[2:, 2:], east, south),
        ):
            length += (corner & ~beside & ~above) * np.float32(cell * math.sqrt(2))
        length *= here * np.float32(0.948 / 2)
        inside = (block[1:-1, 1:-1] == block[1:-1, 1:-1]).astype(np.float32)
        np.divide(self.box(length, r), self.box(inside, r), out=out[0])
        out[0] *= np.float32(1e3 / cell**2)

"""What a commodity's rows say, which of them a stack has layers for, and what is lost without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import xarray as xr

from prospect.commodities import Commodity
from prospect.features.operation import get_operation
from prospect.features.recipe import FeatureSpec
from prospect.roles import matches

METRES = frozenset(
    ("scale", "radius", "sigma", "height", "cap", "inner", "outer", "fine", "coarse")
)
"""Parameters that are lengths."""

SYSTEMS = (
    "gate", "source", "pathway", "trap", "deposition", "alteration", "preservation", "evidence",
    "context",
)  # fmt: skip
"""Parts of the mineral system, in the order that ore goes."""


@dataclass(frozen=True)
class Row:
    """
    One row of evidence, for people.

    Attributes
    ----------
    name, sign, system, source : str
    means : str
        What it is made of, and how.
    present : bool
        Whether the stack has what it takes; true where none was given.
    lacks : tuple of str
        The roles that are missing.
    """

    name: str
    sign: str
    system: str
    source: str
    means: str
    present: bool
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """The rows of a commodity, by part of the mineral system."""

    rows: tuple[Row, ...]

    def shares(self) -> dict[str, tuple[int, int]]:
        """Rows with layers, and all rows, of each part of the mineral system."""
        have = Counter(row.system for row in self.rows if row.present)
        return {
            system: (have[system], count)
            for system, count in Counter(row.system for row in self.rows).items()
        }

    def wanted(self) -> list[str]:
        """What is missing, and which rows it leaves out, a sentence each; the most first."""
        lost: dict[tuple[str, ...], list[str]] = {}
        for row in self.rows:
            if not row.present:
                lost.setdefault(row.lacks, []).append(row.name)
        ranked = sorted(lost.items(), key=lambda item: -len(item[1]))
        return [f"without {', '.join(lacks)}: {', '.join(names)}" for lacks, names in ranked]


def evidence_of(commodity: Commodity, stack: xr.Dataset | None = None) -> Evidence:
    """
    The rows of a commodity, and which of them a stack has layers for.

    Parameters
    ----------
    commodity : Commodity
    stack : Dataset, optional
        Layers with roles.

    Returns
    -------
    Evidence
        Steps to other rows are told in the rows they lead to. A row is there if its layers
        are; whether their values allow it, fitting tells.
    """
    specs = {spec.name: spec for spec in commodity.recipe.features}
    missing: set[str] = set()
    if stack is not None:
        missing = {spec.name for spec in commodity.recipe.resolve(stack)[1]}
    rows = [
        Row(
            name=spec.name,
            sign=spec.sign,
            system=spec.system or "context",
            source=spec.source,
            means=_means(spec, specs),
            present=spec.name not in missing,
            lacks=tuple(dict.fromkeys(_lacks(spec, specs, stack))) if spec.name in missing else (),
        )
        for spec in specs.values()
        if spec.keep
    ]
    order = {system: place for place, system in enumerate(SYSTEMS)}
    return Evidence(tuple(sorted(rows, key=lambda row: order.get(row.system, len(order)))))


def _means(spec: FeatureSpec, specs: Mapping[str, FeatureSpec]) -> str:
    """A row in words: its operation, what it is of, and its parameters."""
    inputs = [f"({_means(specs[i], specs)})" if _is_step(i, specs) else i for i in spec.of]
    told = [f"{spec.operation} of {', '.join(inputs)}"]
    for key, value in spec.parameters.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        told.append(f"{key} {text} m" if key in METRES else f"{key} {text}")
    return "; ".join(told)


def _is_step(item: str, specs: Mapping[str, FeatureSpec]) -> bool:
    return item in specs and not specs[item].keep


def _lacks(
    spec: FeatureSpec, specs: Mapping[str, FeatureSpec], stack: xr.Dataset | None
) -> Iterator[str]:
    """The roles, or classes of them, that a row goes without."""
    there = [] if stack is None else list(stack.data_vars.values())
    for item in spec.of:
        parent = specs.get(item) or _row_of_star(item, specs)
        if parent is not None and parent is not spec:
            star = next((role for role in parent.of if role.endswith(".*")), None)
            if star is not None and parent.name != item:
                # Such as z_Te, which comes from geochemistry.Te by way of rows of every assay.
                role = star[:-1] + item.split("_", 1)[1]
                if not any(matches(role, str(v.attrs.get("role", ""))) for v in there):
                    yield role
            else:
                yield from _lacks(parent, specs, stack)
            continue
        layers = [
            v for v in there if item in (v.name,) or matches(item, str(v.attrs.get("role", "")))
        ]
        if not layers:
            yield item
            continue
        if get_operation(spec.operation).takes == "categorical":
            named = {str(n) for v in layers for n in dict(v.attrs.get("classes", {})).values()}
            for key in ("classes", "others"):
                wanted = spec.parameters.get(key, [])
                if wanted and not named & set(wanted):
                    yield f"{item} with a class {' or '.join(wanted)}"


def _row_of_star(item: str, specs: Mapping[str, FeatureSpec]) -> FeatureSpec | None:
    """The row such as ``z_*`` that a name such as ``z_Te`` comes from, down to its layers."""
    for spec in specs.values():
        if spec.name.endswith("*") and item.startswith(spec.name[:-1]) and item != spec.name:
            lower = specs.get(spec.of[0])
            return lower if lower is not None and "*" in lower.name else spec
    return None

"""What the rows of an occurrence table say: commodity, deposit type, standing, presence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.errors import LabelError
from prospect.lexicon import commodity_words, says, standing_of
from prospect.project import OccurrenceSpec
from prospect.tables import guess_columns

if TYPE_CHECKING:
    from prospect.commodities import Commodity

UNKNOWN_TYPE = 0.5
"""An occurrence that may be of the type asked for weighs so much of what it would."""

TYPE_COLUMNS = frozenset(
    (
        "type", "deposit type", "dep type", "deposit model", "genetic type", "mineral system",
        "тип месторождения", "генетический тип", "геолого промышленный тип", "тип",
    )
)  # fmt: skip
"""Names of columns that tell the deposit type."""


def commodities_of(
    table: Any, commodity: Commodity, spec: OccurrenceSpec, notes: list[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """
    Which rows are of a commodity, which are its placers, and which speak of barren ground.

    Returns
    -------
    mine, placer, barren : array of shape (rows,), bool
        Barren of it is where something else was found that is not associated with it: not
        where a row says nothing.
    """
    column = spec.commodity
    if column is not None and column not in table.columns:
        raise LabelError(
            f"{spec.path} has no column '{column}'; it has: {', '.join(map(str, table.columns))}."
        )
    column = column or guess_columns(map(str, table.columns)).commodity
    if column is None and spec.of is None:
        notes.append(f"no commodity column: every row is taken as {commodity.name}")
        everything = np.ones(len(table), bool)
        return everything, ~everything, ~everything
    if column is None:
        notes.append(f"every row of {spec.path.name} is taken as {spec.of}")
        rows = pd.Series([spec.of] * len(table))
    else:
        rows = table[column]
    texts = [str(text) for text in rows]
    mine = np.array([commodity.is_meant(text) for text in texts], bool)
    placer = np.array([commodity.is_excluded(text) for text in texts], bool)
    kin = [word for name in commodity.associated for word in (name, *commodity_words(name))]
    told = np.array([any(c.isalpha() for c in text) for text in texts], bool)
    told &= rows.notna().to_numpy()
    akin = np.array([says(text, kin) for text in texts], bool)
    return mine, placer, told & ~mine & ~placer & ~akin


def types_of(table: Any, commodity: Commodity, spec: OccurrenceSpec) -> NDArray[np.object_]:
    """The deposit type that each row names, in any column that tells one; else nothing."""
    columns = [
        name
        for name in table.columns
        if " ".join(str(name).lower().replace("_", " ").replace("-", " ").split()) in TYPE_COLUMNS
    ]
    told = spec.commodity or guess_columns(map(str, table.columns)).commodity
    columns += [told] if told is not None and told not in columns else []
    found = np.full(len(table), "", dtype=object)
    for column in columns:
        for i, text in enumerate(table[column]):
            if not found[i]:
                found[i] = commodity.type_of(str(text))
    return found


def weigh_types(
    weight: NDArray[np.float64],
    kinds: NDArray[np.object_],
    commodity: Commodity,
    used: NDArray[np.bool_],
    notes: list[str],
) -> NDArray[np.float64]:
    """
    Weights of the rows in use by what is known of their type; what was done is said.

    Of one type alone, rows of unknown type weigh half. Types that are pooled are counted.
    """
    if not commodity.types or not used.any():
        return weight
    unknown = used & (kinds == "")
    if commodity.type:
        if unknown.any():
            notes.append(
                f"{int(unknown.sum())} of {int(used.sum())} occurrences do not say their type: "
                f"they may be {commodity.type}, and weigh half (name types in a column 'type')"
            )
        return np.where(unknown, UNKNOWN_TYPE * weight, weight)
    names = [commodity_type.name for commodity_type in commodity.types]
    found = Counter(kinds[used & (kinds != "")])
    told = [f"{name} {found[name]}" for name in names if found[name]]
    told += [f"unknown {int(unknown.sum())}"] if unknown.any() else []
    if found:
        notes.append(f"types are pooled ({', '.join(told)}): -c {names[0]} learns one alone")
    else:
        notes.append(f"no types are told: {', '.join(names)} are pooled")
    return weight


def presence_of(table: Any, spec: OccurrenceSpec) -> NDArray[np.bool_]:
    """Which rows say that it is there; all, without a label column."""
    if not spec.label:
        return np.ones(len(table), bool)
    if spec.label not in table.columns:
        raise LabelError(f"{spec.path} has no column '{spec.label}' for the label.")
    values = pd.to_numeric(table[spec.label], errors="coerce")
    if not values.isin([0, 1]).all():
        raise LabelError(
            f"{spec.path}: the label column '{spec.label}' holds 1 (present) and 0 (absent) only."
        )
    return np.asarray(values == 1)


def weights_of(
    table: Any, spec: OccurrenceSpec, used: NDArray[np.bool_], notes: list[str]
) -> NDArray[np.float64]:
    """Weight of every row by its standing; what is not understood is said."""
    column = spec.status or guess_columns(map(str, table.columns)).status
    if column is None:
        return np.ones(len(table))
    if column not in table.columns:
        raise LabelError(f"{spec.path} has no column '{column}' for the status.")
    standings = [standing_of(str(text)) for text in table[column]]
    strange = Counter(
        str(text)
        for text, standing, meant in zip(table[column], standings, used, strict=True)
        if standing is None and meant
    )
    if strange:
        listed = ", ".join(f"'{text}'" for text, _ in strange.most_common(3))
        notes.append(
            f"a status that is not understood stands in {strange.total()} rows ({listed}): "
            "they count as deposits"
        )
    return np.array([1.0 if s is None else s.weight for s in standings], float)


def names_of(table: Any) -> NDArray[np.object_]:
    """The name of every row, or its number."""
    column = guess_columns(map(str, table.columns)).name
    if column is None:
        return np.array([f"#{i + 1}" for i in range(len(table))], dtype=object)
    return np.array([str(text) for text in table[column]], dtype=object)

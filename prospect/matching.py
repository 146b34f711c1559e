"""Which layer of a stack is which evidence of a model: by name, else by role."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from prospect.errors import ModelError

# Each unit as a multiple of the first of its kind; written in small letters.
_UNITS: tuple[dict[str, float], ...] = (
    dict.fromkeys(("ppm", "mg/kg", "g/t", "г/т", "мг/кг"), 1.0)
    | dict.fromkeys(("ppb", "ug/kg", "μg/kg", "mg/t", "мг/т"), 1e-3)
    | dict.fromkeys(("%", "pct", "wt%", "wt.%"), 1e4),
    dict.fromkeys(("m", "metre", "meter", "metres", "meters", "м"), 1.0)
    | {"km": 1000.0, "км": 1000.0, "cm": 0.01, "ft": 0.3048},
    {"nt": 1.0, "нтл": 1.0, "t": 1e9},
    {"mgal": 1.0, "мгал": 1.0, "m/s2": 1e5, "um/s2": 0.1},
)


@dataclass(frozen=True)
class LayerCard:
    """What a model remembers of a layer."""

    name: str
    role: str = ""
    unit: str = ""
    kind: str = "continuous"
    required: bool = False
    resampling: str = ""
    source: str = ""
    classes: Mapping[int, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "name": self.name,
            "role": self.role,
            "unit": self.unit,
            "kind": self.kind,
            "required": self.required,
            "resampling": self.resampling,
            "source": self.source,
            "classes": {str(code): name for code, name in self.classes.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LayerCard:
        """From plain data."""
        return cls(
            name=str(data["name"]),
            role=str(data["role"]),
            unit=str(data["unit"]),
            kind=str(data["kind"]),
            required=bool(data["required"]),
            resampling=str(data["resampling"]),
            source=str(data["source"]),
            classes={int(code): str(name) for code, name in data["classes"].items()},
        )


@dataclass(frozen=True)
class Binding:
    """
    A layer of a stack that serves as a layer of a model.

    Attributes
    ----------
    card : LayerCard
    name : str
        In the stack.
    factor : float
        From the stack's unit to the model's.
    recode : mapping of int to int, or None
        From the stack's class codes to the model's.
    """

    card: LayerCard
    name: str
    factor: float = 1.0
    recode: Mapping[int, int] | None = None


def cards_of(stack: xr.Dataset) -> dict[str, LayerCard]:
    """What there is to remember of a stack's layers."""
    cards = {}
    for name, layer in stack.data_vars.items():
        attrs = layer.attrs
        default = "continuous" if layer.dtype.kind == "f" else "categorical"
        classes = {int(code): str(label) for code, label in dict(attrs.get("classes", {})).items()}
        cards[str(name)] = LayerCard(
            name=str(name),
            role=str(attrs.get("role", "")),
            unit=str(attrs.get("units", "")),
            kind=str(attrs.get("kind", default)),
            required=bool(attrs.get("required", False)),
            resampling=str(attrs.get("resampling", "")),
            # The name alone: where a file lay on one computer means nothing on another.
            source=Path(str(attrs.get("source", ""))).name,
            classes=classes,
        )
    return cards


def bind(
    wanted: Mapping[str, LayerCard],
    stack: xr.Dataset,
    mapping: Mapping[str, str] | None = None,
) -> dict[str, Binding]:
    """
    Find the layers of a model in a stack, in any order.

    Parameters
    ----------
    wanted : mapping of name to LayerCard
    stack : Dataset
    mapping : mapping of the model's names to the stack's, optional
        Settles doubts.

    Returns
    -------
    dict of name to Binding

    Raises
    ------
    ModelError
        If a layer is missing or ambiguous, of another kind, or in a unit that cannot be
        converted.
    """
    return bind_cards(wanted, cards_of(stack), mapping)


def bind_cards(
    wanted: Mapping[str, LayerCard],
    cards: Mapping[str, LayerCard],
    mapping: Mapping[str, str] | None = None,
) -> dict[str, Binding]:
    """As :func:`bind`, for layers that are not opened yet."""
    mapping = dict(mapping or {})
    for name, target in mapping.items():
        if name not in wanted:
            raise ModelError(f"The model has no layer '{name}'; it has: {', '.join(wanted)}.")
        if target not in cards:
            raise ModelError(
                f"There is no layer '{target}' to be '{name}'; there are: {', '.join(cards)}."
            )
    # A layer that goes by its own name is not free to stand for another by its role.
    taken = set(mapping.values()) | {n for n in wanted if n in cards and n not in mapping}
    free = {name: card for name, card in cards.items() if name not in taken}
    bound: dict[str, Binding] = {}
    for name, card in wanted.items():
        binding = _bind(card, cards, free, mapping)
        twin = next((n for n, b in bound.items() if b.name == binding.name), None)
        if twin is not None and name not in mapping:
            raise ModelError(
                f"The model needs the layers '{twin}' and '{name}' (both of role {card.role}), but "
                f"only '{binding.name}' could be either: add the other, or say which is which "
                f"with --map {name}=PATH."
            )
        bound[name] = binding
    return bound


def _bind(
    card: LayerCard,
    cards: Mapping[str, LayerCard],
    free: Mapping[str, LayerCard],
    mapping: Mapping[str, str],
) -> Binding:
    if card.name in mapping:
        found = cards[mapping[card.name]]
    elif card.name in cards:
        found = cards[card.name]
    else:
        same = [other for other in free.values() if card.role and other.role == card.role]
        if not same:
            role = f" (role {card.role})" if card.role else ""
            raise ModelError(
                f"The model needs the layer '{card.name}'{role}, but none of the "
                f"{len(cards)} layers given is that: add it, or say which one it is with "
                f"--map {card.name}=PATH."
            )
        if len(same) > 1:
            names = ", ".join(other.name for other in same)
            raise ModelError(
                f"The model needs the layer '{card.name}' (role {card.role}), and {names} could "
                f"all be that: say which with --map {card.name}=PATH."
            )
        found = same[0]
    if found.kind and (found.kind == "categorical") != (card.kind == "categorical"):
        raise ModelError(
            f"The model's layer '{card.name}' is {card.kind}, but '{found.name}' is "
            f"{found.kind}: correct its kind, or give another layer."
        )
    return Binding(card, found.name, _factor(card, found), _recoding(card, found))


def _factor(card: LayerCard, found: LayerCard) -> float:
    """From the unit found to the unit wanted; unknown units are taken as equal."""
    units = card.unit, found.unit
    # The micro sign and the Greek letter fall together too.
    wanted, given = (unicodedata.normalize("NFKC", u).strip().casefold() for u in units)
    if not wanted or not given or wanted == given:
        return 1.0
    for table in _UNITS:
        if wanted in table and given in table:
            return table[given] / table[wanted]
    raise ModelError(
        f"The model's layer '{card.name}' is in {card.unit}, but '{found.name}' is in "
        f"{found.unit}, which cannot be converted: correct the unit, or give another layer."
    )


def _recoding(card: LayerCard, found: LayerCard) -> dict[int, int] | None:
    """From the codes found to the codes wanted, where both name their classes."""
    if not card.classes or not found.classes or dict(card.classes) == dict(found.classes):
        return None
    codes = {name: code for code, name in card.classes.items()}
    return {code: codes[name] for code, name in found.classes.items() if name in codes}

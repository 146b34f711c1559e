"""A recipe: features as data. It names roles, not files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import xarray as xr

from prospect.errors import RecipeError
from prospect.features.operation import get_operation
from prospect.roles import matches

SIGNS = ("+", "-", "0", "∩")

_KEYS = ("name", "operation", "of", "sign", "system", "source", "why", "keep")


@dataclass(frozen=True)
class FeatureSpec:
    """
    One row of a recipe.

    Attributes
    ----------
    name : str
        A ``*`` stands for what the ``*`` of a role matched.
    operation : str
    of : tuple of str
        Roles, layer names, or names of earlier features.
    parameters : mapping
        Of the operation; lengths in metres.
    sign : '+', '-', '0' or '∩'
        How likelihood goes with it: rising, falling, free, or with an optimum.
    system : str
        Its part in the mineral system: source, pathway, trap, deposition, ...
    source : str
        Where the row comes from.
    keep : bool
        Whether it is a feature for the learner, or only a step to others.
    spare : tuple of str
        Of its inputs, those that a ``*`` stood for: it can do without one of them.
    """

    name: str
    operation: str
    of: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sign: str = "0"
    system: str = ""
    source: str = ""
    why: str = ""
    keep: bool = True
    spare: tuple[str, ...] = ()

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> FeatureSpec:
        """
        A row from TOML.

        Raises
        ------
        RecipeError
            If a key, the operation, a parameter or the sign is wrong.
        """
        name = table.get("name")
        if not isinstance(name, str) or not name:
            raise RecipeError(f"A feature needs a name, but this came: {dict(table)}.")
        if "operation" not in table:
            raise RecipeError(f"Feature '{name}' needs an operation and what it is of.")
        parameters = {key: value for key, value in table.items() if key not in _KEYS}
        roles = get_operation(str(table["operation"])).roles
        if "of" not in table and roles is None:
            raise RecipeError(f"Feature '{name}' needs an operation and what it is of.")
        try:
            of = table["of"] if roles is None or "of" in table else roles(parameters)
        except RecipeError as error:
            raise RecipeError(f"Feature '{name}': {error}") from error
        inputs = (of,) if isinstance(of, str) else tuple(of)
        if not inputs or not all(isinstance(item, str) for item in inputs):
            raise RecipeError(f"Feature '{name}': of names roles, layers or features.")
        sign = str(table.get("sign", "0"))
        if sign not in SIGNS:
            raise RecipeError(f"Feature '{name}': sign is {', '.join(SIGNS)}, not '{sign}'.")
        made = cls(
            name=name,
            operation=str(table["operation"]),
            of=inputs,
            parameters=parameters,
            sign=sign,
            system=str(table.get("system", "")),
            source=str(table.get("source", "")),
            why=str(table.get("why", "")),
            keep=bool(table.get("keep", True)),
        )
        try:
            get_operation(made.operation).check(parameters)
        except RecipeError as error:
            raise RecipeError(f"Feature '{name}': {error}") from error
        return made

    def to_table(self) -> dict[str, Any]:
        """The row as plain data, as :meth:`from_table` reads it."""
        table: dict[str, Any] = {
            "name": self.name,
            "operation": self.operation,
            "of": list(self.of),
            **self.parameters,
            "sign": self.sign,
            "keep": self.keep,
        }
        texts = {"system": self.system, "source": self.source, "why": self.why}
        return table | {key: text for key, text in texts.items() if text}


@dataclass(frozen=True)
class Recipe:
    """
    A list of features.

    Attributes
    ----------
    features : tuple of FeatureSpec
        In order: a feature may build on earlier ones.
    """

    features: tuple[FeatureSpec, ...]

    def __post_init__(self) -> None:
        names = [spec.name for spec in self.features]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise RecipeError(f"Two features are called '{twice}': rename one.")

    @classmethod
    def from_tables(cls, tables: Iterable[Mapping[str, Any]]) -> Recipe:
        """A recipe from rows of TOML."""
        return cls(tuple(FeatureSpec.from_table(table) for table in tables))

    def resolve(self, stack: xr.Dataset) -> tuple[Recipe, tuple[FeatureSpec, ...]]:
        """
        Turn roles into the names of a stack's layers.

        A row whose role fits several layers becomes one row a layer, unless its operation
        takes any number of layers: then it is one row of them all, but for those that the
        row names itself.

        Parameters
        ----------
        stack : Dataset

        Returns
        -------
        recipe : Recipe
            Its rows name layers and features only.
        missing : tuple of FeatureSpec
            Rows whose layers the stack does not have.
        """
        resolved: list[FeatureSpec] = []
        missing: list[FeatureSpec] = []
        made: dict[str, list[str]] = {}
        tails = _tails(stack)
        for spec in self.features:
            choices = [_find(item, stack, made) for item in spec.of]
            choices = [_with_classes(spec, names, stack) for names in choices]
            choices = [_with_lines(spec, names, stack) for names in choices]
            choices = _without_named(spec, choices)
            if not all(choices):
                missing.append(spec)
                continue
            rows = _gather(spec, choices) or _expand(spec, choices, tails)
            made[spec.name] = [row.name for row in rows]
            made |= {row.name: [row.name] for row in rows}
            resolved += rows
        return Recipe(tuple(resolved)), tuple(missing)


def in_use(specs: Iterable[FeatureSpec]) -> list[FeatureSpec]:
    """Rows that are kept, or that a kept row builds on."""
    wanted: set[str] = set()
    used = []
    for spec in reversed(list(specs)):
        if spec.keep or spec.name in wanted:
            wanted.update(spec.of)
            used.append(spec)
    return used[::-1]


def rounds(specs: Sequence[FeatureSpec], layers: Iterable[str]) -> Iterator[list[FeatureSpec]]:
    """Rows in batches whose inputs are layers or rows of earlier batches."""
    ready = set(layers)
    left = list(specs)
    while left:
        batch = [spec for spec in left if set(spec.of) <= ready]
        if not batch:
            raise RecipeError(f"Feature '{left[0].name}' builds on itself: reorder the recipe.")
        yield batch
        ready |= {spec.name for spec in batch}
        left = [spec for spec in left if spec.name not in ready]


def _find(item: str, stack: xr.Dataset, made: Mapping[str, list[str]]) -> list[str]:
    """The layers or features that an input means."""
    if item in made:
        return made[item]
    if item in stack.data_vars:
        return [item]
    return [
        str(name)
        for name, layer in stack.data_vars.items()
        if matches(item, str(layer.attrs.get("role", "")))
    ]


def _with_classes(spec: FeatureSpec, names: list[str], stack: xr.Dataset) -> list[str]:
    """Of some layers, those that have one of the classes of each group a row asks for."""
    for key in ("classes", "others"):
        wanted = spec.parameters.get(key)
        if not wanted:
            continue
        group = {wanted} if isinstance(wanted, str) else set(wanted)
        names = [
            name
            for name in names
            if name in stack.data_vars
            and group & {str(v) for v in dict(stack[name].attrs.get("classes", {})).values()}
        ]
    return names


def _with_lines(spec: FeatureSpec, names: list[str], stack: xr.Dataset) -> list[str]:
    """Of layers that fit a role, those whose lines can be measured; what is named is kept."""
    if get_operation(spec.operation).measures is None:
        return names
    return [
        name
        for name in names
        if name in spec.of or name not in stack.data_vars or "features" in stack[name].attrs
    ]


def _without_named(spec: FeatureSpec, choices: Sequence[list[str]]) -> list[list[str]]:
    """What is named by itself is not meant by the ``*`` of another input of a joint row."""
    if get_operation(spec.operation).inputs is not None:
        return list(choices)
    stars = ["*" in item for item in spec.of]
    named = {n for names, star in zip(choices, stars, strict=True) if not star for n in names}
    return [
        [n for n in names if n not in named] if star else names
        for names, star in zip(choices, stars, strict=True)
    ]


def _gather(spec: FeatureSpec, choices: Sequence[list[str]]) -> list[FeatureSpec]:
    """One row of all that its roles fit, if the operation takes any number of layers."""
    stars = ["*" in item for item in spec.of]
    if get_operation(spec.operation).inputs is not None or not any(stars):
        return []
    if "*" in spec.name:
        raise RecipeError(
            f"Feature '{spec.name}' is one row of all that {', '.join(spec.of)} fits: "
            "leave the * out of its name."
        )
    inputs = tuple(dict.fromkeys(name for names in choices for name in names))
    spare = {n for names, star in zip(choices, stars, strict=True) if star for n in names}
    return [replace(spec, of=inputs, spare=tuple(n for n in inputs if n in spare))]


def _expand(
    spec: FeatureSpec, choices: Sequence[list[str]], tails: dict[str, str]
) -> list[FeatureSpec]:
    """One row a layer where a role fits several; ``tails`` learns what each ``*`` stood for."""
    several = [names for names in choices if len(names) > 1]
    if len(several) > 1:
        raise RecipeError(f"Feature '{spec.name}': only one of its inputs may fit several layers.")
    if several and "*" not in spec.name:
        raise RecipeError(
            f"Feature '{spec.name}' is of {', '.join(spec.of)}, which fits several layers "
            f"({', '.join(several[0][:5])}): put a * into its name, or name one layer."
        )
    rows = []
    for item in several[0] if several else choices[0]:
        inputs = tuple(item if len(names) > 1 else names[0] for names in choices)
        name = spec.name.replace("*", tails[item])
        if name != spec.name:
            tails[name] = tails[item]
        tails.setdefault(name, name)
        rows.append(replace(spec, name=name, of=inputs))
    return rows


def _tails(stack: xr.Dataset) -> dict[str, str]:
    """What a ``*`` stands for, by layer: the end of its role where it is alone in that role."""
    roles = {str(name): str(layer.attrs.get("role", "")) for name, layer in stack.items()}
    counts = Counter(roles.values())
    return {
        name: role.split(".", 1)[1] if "." in role and counts[role] == 1 else name
        for name, role in roles.items()
    }

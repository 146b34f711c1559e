"""Whether the trees of a model file may be walked: before they are built, and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import NODE_DTYPE, Tree

from prospect.errors import ModelError

Claim = tuple[tuple[int, ...], np.dtype[Any]]
"""Shape and type of an array, as its header has them."""


def require_sound_states(path: Path, schema: Any, arrays: Mapping[str, Claim]) -> None:
    """
    Refuse trees that would crash the process when they are built.

    scikit-learn takes a tree's arrays before it looks at their shapes, and its count of nodes
    as it stands.

    Parameters
    ----------
    path : Path
        For the message.
    schema : JSON value
        What skops says of the estimator.
    arrays : mapping of str to (shape, dtype)
        Headers of its arrays, by file.

    Raises
    ------
    ModelError
        If a tree is not of the shapes that it states, or its parts are shared with others.
    """
    nodes = list(_nodes(schema))
    # What has the number of something earlier is that earlier thing, whatever it says.
    same: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for node in nodes:
        if node["__loader__"] != "CachedNode":
            same[node.get("__id__")].append(node)
    for node in nodes:
        tree = node.get("__loader__") == "TreeNode"
        named = (node.get("__module__"), node.get("__class__")) == ("sklearn.tree._tree", "Tree")
        if tree or (named and node.get("__loader__") != "TypeNode"):
            try:
                sound = tree and named and _sound_state(node, same, arrays)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                sound = False
            if not sound:
                raise _tampered(path)


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema."""
    if isinstance(schema, dict):
        if "__loader__" in schema:
            yield schema
        for value in schema.values():
            yield from _nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _nodes(value)


def _sound_state(
    node: dict[str, Any], same: Mapping[Any, list[dict[str, Any]]], arrays: Mapping[str, Claim]
) -> bool:
    """Whether the state of a tree has the arrays and numbers that it is built of."""
    arguments, state = node["__reduce__"]["args"], node["content"]
    features, classes, outputs = arguments["content"]
    content = state["content"]
    parts = [node, arguments, state, features, classes, outputs, *content.values()]
    if not all(_is_itself(part, same[part["__id__"]]) for part in parts):
        return False
    loaders = [part["__loader__"] for part in (arguments, state, features, outputs)]
    if loaders != ["TupleNode", "DictNode", "JsonNode", "JsonNode"]:
        return False
    keys = [kind["__class__"] for kind in state["key_types"]["content"]]
    if set(content) != {"max_depth", "node_count", "nodes", "values"} or set(keys) != {"str"}:
        return False
    count, depth = _number(content["node_count"]), _number(content["max_depth"])
    width = _number(outputs)
    shape, dtype = _claim(classes, arrays)
    if (shape, dtype) != ((width,), np.dtype(np.intp)) or _number(features) < 1:
        return False
    shape, dtype = _claim(content["nodes"], arrays)
    if (shape, dtype) != ((count,), NODE_DTYPE) or count < 1 or not 0 <= depth < count:
        return False
    shape, dtype = _claim(content["values"], arrays)
    return shape[:2] == (count, width) and len(shape) == 3 and dtype == np.float64


def _is_itself(part: dict[str, Any], same: list[dict[str, Any]]) -> bool:
    """Whether nothing else has its number, but for the same texts and numbers."""
    if part["__loader__"] == "JsonNode":
        said = part["__loader__"], part["content"]
        return all((each["__loader__"], each.get("content")) == said for each in same)
    return len(same) == 1


def _number(node: dict[str, Any]) -> int:
    return int(node["content"]) if node["__loader__"] == "JsonNode" else -1


def _claim(node: dict[str, Any], arrays: Mapping[str, Claim]) -> Claim:
    """The header of an array that stands in a file of its own."""
    if (node["__loader__"], node["type"]) != ("NdArrayNode", "numpy"):
        raise ValueError("no array")
    if (node["__module__"], node["__class__"]) != ("numpy", "ndarray"):
        raise ValueError("no array")
    return arrays[node["file"]]


def _tampered(path: Path) -> ModelError:
    return ModelError(f"{path} holds a tree that was tampered with or damaged: train again.")


def _inside(value: Any, seen: set[int]) -> Iterator[Any]:
    """Everything that an estimator is made of, itself first."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    inner: list[Any] = []
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple | set):
        inner = list(value)
    elif isinstance(value, np.ndarray):
        inner = value.ravel().tolist() if value.dtype == object else []
    elif hasattr(value, "__dict__"):
        inner = list(vars(value).values())
    for item in inner:
        yield from _inside(item, seen)


def require_sound_trees(path: Path, estimator: Any) -> None:
    """
    Refuse trees whose indices would crash the process when a cell is scored.

    Raises
    ------
    ModelError
        If a child, a feature or the members of a forest are out of range.
    """
    for part in list(_inside(estimator, set())):
        features = getattr(part, "n_features_in_", 0)
        sound = True
        if isinstance(getattr(part, "tree_", None), Tree):
            sound = part.tree_.n_features == features and _sound_tree(part.tree_)
        elif isinstance(getattr(part, "_predictors", None), list):
            boosted = _inside(part._predictors, set())
            trees = [tree for tree in boosted if isinstance(tree, TreePredictor)]
            sound = all(_sound_boosted(tree, features) for tree in trees)
        elif hasattr(part, "estimators_") and not hasattr(part, "estimators_features_"):
            members = np.ravel(np.asarray(part.estimators_, dtype=object))
            sound = all(getattr(each, "n_features_in_", features) == features for each in members)
        if not sound:
            raise _tampered(path)


def _sound_tree(tree: Any) -> bool:
    """Whether children follow their parents, and all features exist."""
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = left != -1
    if not np.array_equal(inner, right != -1):
        return False
    return _sound_nodes(inner, left, right, np.asarray(tree.feature), tree.n_features)


def _sound_boosted(tree: Any, features: int) -> bool:
    """The same of a tree of histogram gradient boosting."""
    nodes, bitsets = tree.nodes, np.asarray(tree.raw_left_cat_bitsets)
    inner = nodes["is_leaf"] == 0
    known = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)] < len(bitsets)
    return bool(known.all()) and _sound_nodes(
        inner,
        nodes["left"].astype(np.int64),
        nodes["right"].astype(np.int64),
        nodes["feature_idx"],
        features,
    )


def _sound_nodes(
    inner: NDArray[np.bool_],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    feature: NDArray[np.int64],
    features: int,
) -> bool:
    node, count = np.flatnonzero(inner), inner.size
    children = np.stack([left[node], right[node]])
    used = feature[node]
    return bool(
        count > 0
        and (children > node).all()
        and (children < count).all()
        and (used >= 0).all()
        and (used < features).all()
    )

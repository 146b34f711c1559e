"""Features grouped by the evidence they rest on."""

import numpy as np

from prospect.evidence import evidence_groups, layers_behind
from prospect.features import FeatureBuilder


def test_features_of_one_kind_of_evidence_stand_together(gold_model):
    groups = evidence_groups(gold_model.builder)
    names = np.array(gold_model.feature_names)
    assert len(groups.of) == len(names)
    assert {"faults", "lithology", "Au assays", "gravity"} <= set(groups.names)
    # By way of the logarithm, which is no feature itself.
    assert {"z_Au", "au_1500m"} <= set(names[groups.members("Au assays")])
    # Two layers, thrusts and strike-slip faults, are one kind of evidence.
    faults = {name for name in names if name.startswith(("strike_slip", "fault_density"))}
    assert faults <= set(names[groups.members("faults")])
    assert sum(groups.members(name).size for name in groups.names) == len(names)


def test_layers_of_several_kinds_are_named_together(make_stack):
    field = np.random.default_rng(0).random((6, 7)).astype(np.float32)
    roles = {
        "sb": "geochemistry.Sb", "au": "geochemistry.Au", "mag": "magnetics.tmi",
        "b1": "aster.b1", "b2": "aster.b2", "bouguer": "gravity.bouguer", "dem": "elevation",
    }  # fmt: skip
    stack = make_stack(
        attrs={name: {"role": role} for name, role in roles.items()},
        **{name: field + k for k, name in enumerate(roles)},
    )
    rows = [
        {"name": "both", "operation": "ratio", "of": ["sb", "au"]},
        {"name": "bands", "operation": "band_ratio", "of": ["b1", "b2"]},
        {"name": "pair", "operation": "band_ratio", "of": ["both", "mag"]},
        {"name": "two", "operation": "band_ratio", "of": ["mag", "bouguer"]},
        {"name": "more", "operation": "band_ratio", "of": ["bouguer", "dem"]},
        {"name": "many", "operation": "band_ratio", "of": ["pair", "more"]},
        {"name": "one", "operation": "value", "of": "sb"},
    ]
    builder = FeatureBuilder(rows).fit(stack)
    groups = evidence_groups(builder)
    told = {
        name: groups.names[group]
        for name, group in zip(builder.feature_names, groups.of, strict=True)
    }
    assert told == {
        "both": "several assays",
        "bands": "aster",
        "pair": "Sb assays, Au assays and magnetics",
        "two": "magnetics and gravity",
        "more": "gravity and elevation",
        "many": "5 kinds of evidence",
        "one": "Sb assays",
    }
    behind = dict(zip(builder.feature_names, layers_behind(builder), strict=True))
    assert behind["pair"] == {"sb", "au", "mag"}

"""The .prospect file: what goes in comes out, and nothing else gets in."""

import contextlib
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from prospect import model_file
from prospect.calibration import Prior
from prospect.errors import LayerError, ModelError, OutputError
from prospect.learners import fit, likelihood
from prospect.model import load_model
from prospect.models import FuzzyOverlay, WeightsOfEvidence


@pytest.fixture
def saved(gold_model, tmp_path):
    return gold_model.save(tmp_path / "золото.prospect")


def rewrite(path, **parts):
    """The file with some parts replaced."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= {name.replace("_", "."): data for name, data in parts.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def test_saving_and_loading_changes_nothing(gold_model, saved):
    again = load_model(saved)
    assert again.builder.to_dict() == gold_model.builder.to_dict()
    assert again.ground == gold_model.ground
    assert again.measures.equals(gold_model.measures)
    assert again.calibration == gold_model.calibration
    assert again.calibration is not None
    assert again.prior is None
    assert vars(again.applicability).keys() == vars(gold_model.applicability).keys()
    for name, value in vars(gold_model.applicability).items():
        np.testing.assert_array_equal(getattr(again.applicability, name), value)
    assert again.doubts() == gold_model.doubts()
    assert again.quality() == gold_model.quality()
    assert dict(again.record) == json.loads(json.dumps(gold_model.record, default=str))
    for name, values in gold_model.samples.items():
        np.testing.assert_array_equal(again.samples[name], values)
    features = np.random.default_rng(0).normal(size=(50, len(again.feature_names)))
    features = features.astype(np.float32)
    np.testing.assert_array_equal(
        likelihood(again.estimator, features), likelihood(gold_model.estimator, features)
    )


def test_one_model_is_one_file_to_the_byte(gold_model, tmp_path):
    first = gold_model.save(tmp_path / "a.prospect").read_bytes()
    assert gold_model.save(tmp_path / "b.prospect").read_bytes() == first


def test_a_prior_comes_back(gold_model, tmp_path):
    stated = replace(gold_model, prior=Prior(0.0005, (2.0, 4.0, 6.0)))
    assert load_model(stated.save(tmp_path / "m.prospect")).prior == stated.prior


def test_a_model_that_cannot_doubt_itself_is_a_model(gold_model, tmp_path):
    plain = replace(gold_model, calibration=None, applicability=None)
    again = load_model(plain.save(tmp_path / "m.prospect"))
    assert again.calibration is again.applicability is None


def test_models_of_before_are_refused_with_a_sentence(saved):
    with zipfile.ZipFile(saved) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    del contents["applicability.npz"]
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    with pytest.raises(ModelError, match=r"of format 1.*train again"):
        load_model(saved)


class Homemade(ClassifierMixin, BaseEstimator):
    """An estimator that another computer would not have."""


def test_what_could_not_be_loaded_is_refused_when_saving(gold_model, tmp_path):
    path = tmp_path / "m.prospect"
    with pytest.raises(ModelError, match="which a model file cannot hold"):
        replace(gold_model, estimator=Homemade()).save(path)
    generator = RandomForestClassifier(2, random_state=np.random.RandomState(0))
    with pytest.raises(ModelError, match="RandomState"):
        replace(gold_model, estimator=generator).save(path)
    assert not path.exists()


def test_a_pickle_is_not_opened(tmp_path):
    import pickle

    path = tmp_path / "m.prospect"

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match="is not a prospect model"):
        load_model(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "not a prospect model"), (b"PK\x03\x04 nonsense", "not a prospect model")],
)
def test_other_files_are_refused(tmp_path, content, sentence):
    path = tmp_path / "m.prospect"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        load_model(path)
    with pytest.raises(LayerError, match="There is no file"):
        load_model(tmp_path / "none.prospect")


def test_missing_and_added_parts_are_refused(saved):
    with pytest.raises(ModelError, match="is not a prospect model: it holds"):
        load_model(rewrite(saved, samples_npz=None))
    with pytest.raises(ModelError, match="is not a prospect model"):
        load_model(rewrite(saved, samples_npz=b"x", evil_py=b"print()"))


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"format": 1}', b'{"format": 99}', b"\xff\xfe"])
def test_a_damaged_manifest_is_a_sentence(saved, text):
    with pytest.raises(ModelError, match=r"damaged|format 99"):
        load_model(rewrite(saved, manifest_json=text))


def test_types_outside_the_list_are_refused(saved):
    evil = skops.io.dumps({"a": np.random.RandomState(0)})
    with pytest.raises(ModelError, match="RandomState, which a model file cannot hold"):
        load_model(rewrite(saved, estimator_skops=evil))


def test_an_array_that_claims_more_than_it_holds_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        inner = archive.read("estimator.skops")
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(inner)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".npy"):
                header = io.BytesIO()
                np.lib.format.write_array_header_1_0(
                    header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
                )
                data = header.getvalue()
            target.writestr(name, data)
    with pytest.raises(ModelError, match="not what it claims"):
        load_model(rewrite(saved, estimator_skops=out.getvalue()))


@pytest.mark.parametrize("child", [10**6, -7, 0])
def test_trees_whose_indices_were_edited_are_refused(saved, child):
    with zipfile.ZipFile(saved) as archive:
        inner = archive.read("estimator.skops")
    out, edited = io.BytesIO(), 0
    with zipfile.ZipFile(io.BytesIO(inner)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(data))
                if array.dtype.names and "left_child" in array.dtype.names:
                    array["left_child"][0] = child
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    data, edited = buffer.getvalue(), edited + 1
            target.writestr(name, data)
    assert edited
    with pytest.raises(ModelError, match=r"tampered with or damaged|cannot be loaded"):
        load_model(rewrite(saved, estimator_skops=out.getvalue()))


def edited(estimator, change):
    """Skops data of an estimator whose arrays went through a function."""
    out, count = io.BytesIO(), 0
    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as source,
        zipfile.ZipFile(out, "w") as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(data))
                changed = change(array)
                if changed is not None:
                    buffer = io.BytesIO()
                    np.save(buffer, changed)
                    data, count = buffer.getvalue(), count + 1
            target.writestr(name, data)
    assert count
    return out.getvalue()


@pytest.mark.parametrize(("name", "value"), [("left", 0), ("right", 10**6), ("feature_idx", 99)])
def test_boosted_trees_whose_indices_were_edited_are_refused(saved, gold_model, name, value):
    def change(array):
        if array.dtype.names and name in array.dtype.names:
            array[name][0] = value
            return array
        return None

    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, len(gold_model.feature_names)))
    boosting = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2)
    boosting = fit(boosting, features, np.arange(60) % 2 == 1, np.ones(60))
    with pytest.raises(ModelError, match="tampered with or damaged"):
        load_model(rewrite(saved, estimator_skops=edited(boosting, change)))


def test_estimators_of_the_package_come_back(gold_model, tmp_path):
    rng = np.random.default_rng(0)
    width = len(gold_model.feature_names)
    features = rng.normal(size=(400, width))
    features[rng.random(features.shape) < 0.1] = np.nan
    deposit = (np.nan_to_num(features[:, 0]) > 1.3).astype(int)
    signs = ["+", "-", "0", "∩"] * width
    for estimator in (WeightsOfEvidence(signs[:width]), FuzzyOverlay(signs[:width])):
        estimator.fit(features, deposit)
        path = replace(gold_model, estimator=estimator).save(tmp_path / "m.prospect")
        again = load_model(path).estimator
        np.testing.assert_array_equal(
            again.predict_proba(features), estimator.predict_proba(features)
        )
        assert again.get_params() == estimator.get_params()


def test_an_estimator_that_cannot_score_is_refused(saved, gold_model):
    width = len(gold_model.feature_names)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, width))
    weights = WeightsOfEvidence().fit(features, features[:, 0] > 1.3)
    weights.weights_[0] = weights.weights_[0][:0]
    with pytest.raises(ModelError, match="the estimator cannot score"):
        load_model(rewrite(saved, estimator_skops=skops.io.dumps(weights)))


def test_an_estimator_that_comes_back_otherwise_is_refused_when_saving(
    gold_model, tmp_path, monkeypatch
):
    answers = iter(np.eye(4))
    monkeypatch.setattr(model_file, "_answers", lambda estimator: next(answers))
    with pytest.raises(ModelError, match="would score differently after loading"):
        gold_model.save(tmp_path / "m.prospect")
    assert not (tmp_path / "m.prospect").exists()


def test_another_version_of_scikit_learn_is_said(saved):
    with zipfile.ZipFile(saved) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["scikit-learn"] = "0.24.1"
    rewrite(saved, manifest_json=json.dumps(manifest).encode())
    with pytest.raises(ModelError, match=r"made with scikit-learn 0\.24\.1"):
        load_model(saved)
    assert load_model(saved, any_version=True).commodity == "gold"


def test_an_estimator_that_reads_other_features_is_refused(saved, gold_model):
    forest = RandomForestClassifier(2, random_state=0).fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ModelError, match="reads 4 features, but the recipe makes"):
        load_model(rewrite(saved, estimator_skops=skops.io.dumps(forest)))


def test_a_bomb_is_not_unpacked(saved, monkeypatch):
    monkeypatch.setattr(model_file, "MAX_MEMBER", 1000)
    with pytest.raises(ModelError, match="more than is accepted"):
        load_model(saved)


def test_a_flipped_bit_is_a_sentence(saved):
    data = bytearray(saved.read_bytes())
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(data), 60):
        broken = data.copy()
        broken[position] ^= 0x10
        saved.write_bytes(broken)
        with contextlib.suppress(ModelError):
            load_model(saved)


def test_a_folder_that_is_not_there_is_said(gold_model, tmp_path):
    with pytest.raises(OutputError, match="There is no folder"):
        gold_model.save(tmp_path / "none" / "m.prospect")


def restated(saved, change):
    """The model, its estimator's schema and arrays changed."""
    with zipfile.ZipFile(saved) as archive:
        inner = archive.read("estimator.skops")
    with zipfile.ZipFile(io.BytesIO(inner)) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    schema = json.loads(parts["schema.json"])
    tree = next(node for node in walk(schema) if node.get("__loader__") == "TreeNode")
    change(schema, tree, parts)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, data in {**parts, "schema.json": json.dumps(schema)}.items():
            target.writestr(name, data)
    return rewrite(saved, estimator_skops=out.getvalue())


def walk(node):
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from walk(value)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def nodes_are_a_number(schema, tree, parts):
    parts[tree["content"]["content"]["nodes"]["file"]] = npy(np.int64(7))


def values_are_flat(schema, tree, parts):
    parts[tree["content"]["content"]["values"]["file"]] = npy(np.zeros(9))


def classes_are_too_few(schema, tree, parts):
    parts[tree["__reduce__"]["args"]["content"][1]["file"]] = npy(np.zeros(0, np.int64))


def more_nodes_than_there_are(schema, tree, parts):
    tree["content"]["content"]["node_count"]["content"] = "1000000"


def a_million_outputs(schema, tree, parts):
    tree["__reduce__"]["args"]["content"][2]["content"] = "1000000"


def nodes_by_an_earlier_number(schema, tree, parts):
    """What stands here is sound, but skops would take what had that number before."""
    other = tree["__reduce__"]["args"]["content"][1]
    tree["content"]["content"]["nodes"]["__id__"] = other["__id__"]


def outputs_by_an_earlier_number(schema, tree, parts):
    outputs = tree["__reduce__"]["args"]["content"][2]
    other = next(n for n in walk(schema) if n.get("__loader__") == "JsonNode")
    other["content"] = "1000000"
    outputs["__id__"] = other["__id__"]


def another_name_for_it(schema, tree, parts):
    tree["__class__"] = "DecisionTreeClassifier"
    nodes_are_a_number(schema, tree, parts)


@pytest.mark.parametrize(
    "change",
    [
        nodes_are_a_number, values_are_flat, classes_are_too_few, more_nodes_than_there_are,
        a_million_outputs, nodes_by_an_earlier_number, outputs_by_an_earlier_number,
        another_name_for_it,
    ],
)  # fmt: skip
def test_trees_that_would_crash_when_they_are_built_are_refused(saved, change):
    """Most of these end the process in scikit-learn if they are let through."""
    with pytest.raises(ModelError, match="tampered with or damaged"):
        load_model(restated(saved, change))

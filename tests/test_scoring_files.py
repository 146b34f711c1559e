"""What a run plans, makes and writes: bands, files, a sentence where it cannot be."""

import hashlib
import json

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from conftest import SAMPLE

from prospect import bands as banding
from prospect.bands import Band
from prospect.cli import main
from prospect.errors import OutputError
from prospect.model import load_model
from prospect.raster import cog
from prospect.scoring import prepare, score
from prospect.scoring import run as running
from prospect.scoring.identity import fingerprint


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Made:
    """A maker of four bands, two of them classes."""

    bands = (
        banding.LIKELIHOOD,
        Band("driver", "what counts most", classes=("медь", "a < b")),
        Band("dissimilarity", "distance to what was learnt", "1"),
        Band("applicable", "whether the model knows such ground", classes=("no", "yes")),
    )

    def compute(self, features, valid):
        first = np.where(valid, features[0], np.nan).astype(np.float32)
        classes = np.where(valid, features[0] > 0, 255).astype(np.uint8)
        return {
            "likelihood": first,
            "driver": classes,
            "dissimilarity": -first,
            "applicable": classes,
        }


@pytest.fixture
def many(monkeypatch):
    from prospect.scoring import tile

    monkeypatch.setattr(tile, "compile_bands", lambda model, names: Made())


@pytest.mark.usefixtures("many")
def test_bands_of_classes_get_files_with_palettes(sample, tmp_path):
    model, stack, _, _ = sample
    path = score(model, stack, tmp_path / "gold.tif")
    memory = score(model, stack)
    with rasterio.open(path) as numbers:
        assert numbers.descriptions == ("likelihood", "dissimilarity")
        assert numbers.tags(2)["CONTENT"] == "distance to what was learnt"
        for band, name in enumerate(numbers.descriptions, start=1):
            np.testing.assert_array_equal(numbers.read(band), memory[name].values)
    for name, classes in (("driver", ("медь", "a < b")), ("applicable", ("no", "yes"))):
        file = tmp_path / f"gold.{name}.tif"
        with rasterio.open(file) as dataset:
            assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255)
            np.testing.assert_array_equal(dataset.read(1), memory[name].values)
            assert dataset.colormap(1)[0] == (0, 114, 178, 255)
            assert tuple(json.loads(dataset.tags(1)["CLASSES"]).values()) == classes
        assert 'type="paletted"' in file.with_suffix(".qml").read_text("utf-8")
        assert "<Category>" in (tmp_path / f"gold.{name}.tif.aux.xml").read_text("utf-8")
        assert tuple(memory[name].attrs["classes"].values()) == classes
    manifest = json.loads(path.with_suffix(".manifest.json").read_text("utf-8"))
    assert manifest["files"] == {
        file.name: digest(file)
        for file in (path, tmp_path / "gold.driver.tif", tmp_path / "gold.applicable.tif")
    }


def test_bands_are_chosen(sample, tmp_path):
    model, stack, _, _ = sample
    from prospect.errors import ModelError

    with pytest.raises(ModelError, match="has no band 'colour'"):
        score(model, stack, tmp_path / "gold.tif", bands=["colour"])
    assert list(score(model, stack, bands=["likelihood"])) == ["likelihood"]


def test_empty_blocks_are_not_built(sample, monkeypatch):
    """A reserve empties two of four blocks; no features are asked for there."""
    model, stack, _, _ = sample
    from prospect.features import FeatureBuilder
    from prospect.scoring import tile

    whole = score(model, stack, tile=512)["likelihood"].values
    real, built = FeatureBuilder.compute, []

    def compute(self, stack, window, bindings, out=None, overlap=None):
        built.append(window)
        return real(self, stack, window, bindings, out, overlap)

    monkeypatch.setattr(FeatureBuilder, "compute", compute)
    truth = tile.ground_of

    def northless(job, window):
        counts = truth(job, window)
        counts[: max(0, 256 - window.row)] = False
        return counts

    monkeypatch.setattr(tile, "ground_of", northless)
    found = score(model, stack, tile=512)["likelihood"].values
    assert built
    assert all(window.row >= 256 for window in built)
    assert np.isnan(found[:256]).all()
    np.testing.assert_array_equal(found[256:], whole[256:])


def test_a_dry_run_writes_nothing(sample, tmp_path):
    model = sample.path
    command = ["score", model, SAMPLE, "-o", tmp_path / "gold.tif", "--dry-run"]
    result = CliRunner().invoke(main, [*map(str, command), "--max-memory", "2GB"])
    assert result.exit_code == 0, result.output
    assert "cells of halo" in result.stdout
    assert "The tiles take about" in result.stdout
    assert list(tmp_path.iterdir()) == []
    refused = CliRunner().invoke(main, [*map(str, command), "--max-memory", "many"])
    assert refused.exit_code == 2
    assert "write, for example, 1.5GB" in refused.output
    little = CliRunner().invoke(main, [*map(str, command), "--max-memory", "100MB"])
    assert little.exit_code == 1
    assert "0.10 GB are allowed" in little.output


def test_expectations_count_what_counts(sample):
    model, stack, _, _ = sample
    share, seconds = prepare(model, stack, workers=1).expect()
    assert share == 1
    assert seconds > 0


def test_too_little_disk_is_told_before_anything_is_computed(sample, tmp_path, monkeypatch):
    model, stack, _, _ = sample
    free = type("Free", (), {"free": 1000})
    monkeypatch.setattr(cog.shutil, "disk_usage", lambda folder: free)
    monkeypatch.setattr(running, "run_tiles", lambda *_: 1 / 0)
    with pytest.raises(OutputError, match=r"takes up to \d+ MB, but .* free some space"):
        score(model, stack, tmp_path / "gold.tif")
    assert list(tmp_path.iterdir()) == []


def test_fingerprints_know_content_from_place(sample):
    model, stack, path, _ = sample
    job, again = (prepare(m, stack).job for m in (model, load_model(path)))
    assert fingerprint(job.maker) == fingerprint(again.maker)
    one = {"a": np.arange(3), "b": (1, None)}
    assert fingerprint(one) == fingerprint({"a": np.arange(3), "b": (1, None)})
    for other in (
        {"a": np.arange(3.0), "b": (1, None)},
        {"a": np.arange(3), "b": (1, 0)},
        {"a": np.arange(3), "c": (1, None)},
        {"a": np.arange(3).reshape(3, 1), "b": (1, None)},
    ):
        assert fingerprint(one) != fingerprint(other)

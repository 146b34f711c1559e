"""A map against its manifest: what has been changed since is told, and by the exit code."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from prospect.cli import main
from prospect.errors import OutputError
from prospect.record import sha256
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.verification import verify_map


@pytest.fixture(scope="module")
def scored(gold_model, world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("карта")
    path = score(gold_model, open_stack(world), folder / "золото.tif", workers=2)
    gold_model.save(folder / "gold.prospect")
    return path


@pytest.fixture
def written(scored, tmp_path):
    """A copy of a scored map, its manifest and its model."""
    for file in scored.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / scored.name


def run(*arguments):
    result = CliRunner().invoke(main, ["verify", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.output


def edit(path, change):
    file = path.with_suffix(".manifest.json")
    manifest = json.loads(file.read_text("utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), "utf-8")


def test_a_map_as_written_is_said_to_be(written, region_folder):
    code, said = run(written)
    assert code == 0
    assert "ok      золото.tif: as written" in said
    assert "was not given" in said
    code, said = run(written, region_folder, "--model", written.parent / "gold.prospect")
    assert code == 0
    assert "ok      model gold.prospect: made the map" in said
    assert "not checked" not in said
    assert said.splitlines()[-1].endswith("checked, all as the manifest says.")


def test_a_bit_that_was_changed_is_told(written):
    data = bytearray(written.read_bytes())
    data[len(data) // 2] ^= 1
    written.write_bytes(data)
    code, said = run(written)
    assert code == 1
    assert "DIFFERS золото.tif: has been changed since it was written" in said
    assert said.endswith("do not match the manifest.\n")


def test_another_layer_is_told(written, world, tmp_path):
    spec = world.layers[0]
    copy = tmp_path / "layers" / spec.path.name
    copy.parent.mkdir()
    copy.write_bytes(spec.path.read_bytes())
    layer = next(f for f in verify_map(written, sources={"x": copy}) if f.holds is not None
                 and f.what.startswith("layer"))  # fmt: skip
    assert layer.holds
    copy.write_bytes(copy.read_bytes() + b"\0")
    code, said = run(written, copy)
    assert code == 1
    assert f"{copy} is not what the map was made of" in said


def test_another_model_is_told(written, gold_model):
    other = replace(gold_model, record={**gold_model.record, "random_state": 7})
    path = other.save(written.parent / "other.prospect")
    (finding,) = [f for f in verify_map(written, model=path) if f.what.startswith("model")]
    assert finding.holds is False
    edit(written, lambda m: m.update(model={"sha256": sha256(path)}))
    assert verify_map(written, model=path)[-1].holds
    assert run(written, "--model", written.parent / "gold.prospect")[0] == 1


def test_files_beside_the_map_are_checked_too(written):
    beside = written.with_suffix(".classes.tif")
    beside.write_bytes(b"classes")
    edit(written, lambda m: m.update(files={beside.name: sha256(beside)}))
    assert run(written)[0] == 0
    beside.write_bytes(b"other classes")
    assert run(written)[0] == 1
    beside.unlink()
    code, said = run(written)
    assert code == 1
    assert "золото.classes.tif: is missing" in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("{}", "not one of a map"),
        ('{"map": 3, "layers": {}}', "not one of a map"),
        ('{"map": {"name": "../a.tif", "sha256": ""}, "layers": {}}', "is not beside it"),
        ('{"map": {"name": "", "sha256": ""}, "layers": {}}', "is not beside it"),
        (
            '{"map": {"name": "золото.tif", "sha256": ""}, "files": {"": ""}, "layers": {}}',
            "is not beside it",
        ),
        ('{"map": {"name": "%s", "sha256": ""}, "layers": {}}' % ("ы" * 128), "of 256 bytes"),
        ('{"map": {"name": "\\ud800", "sha256": ""}, "layers": {}}', "not one of a map"),
        ('{"map": {"name": "b.tif", "sha256": ""}, "layers": {}}', "was the map renamed"),
        ('{"map": {"name": "золото.tif", "sha256": ""}, "layers": {"a": 3}}', "not one of a map"),
    ],
)
def test_a_manifest_that_is_none(written, text, sentence):
    written.with_suffix(".manifest.json").write_text(text, "utf-8")
    with pytest.raises(OutputError, match=sentence):
        verify_map(written)


def test_a_map_without_a_manifest(written):
    written.with_suffix(".manifest.json").unlink()
    with pytest.raises(OutputError, match="a map is checked against the manifest"):
        verify_map(written)

"""What `prospect commodities` tells, and several commodities in one run."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from prospect.cli import main
from prospect.commodities import commodity_names, load_commodity
from prospect.completeness import evidence_of
from prospect.model import load_model
from prospect.stack import open_stack


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == exit_code, result.output
    return result.output


def test_commodities_and_their_types_are_listed():
    text = run("commodities", "list")
    for name in commodity_names():
        assert f"\n{name} " in f"\n{text}"
        for each in load_commodity(name).types:
            assert f"\n  {each.name}" in text


@pytest.mark.parametrize("name", [*commodity_names(), "au_irgs"])
def test_every_row_is_shown_with_its_sign_scale_and_source(name):
    text = " ".join(run("commodities", "show", name).split())
    for row in load_commodity(name).recipe.features:
        if row.keep:
            assert f"{row.name} {row.sign} {row.operation}" in text
            assert row.source in text
            if "scale" in row.parameters:
                assert f"scale {row.parameters['scale']} m" in text


def test_a_project_says_what_is_missing(region_folder):
    text = run("commodities", "show", "gold", region_folder)
    assert "\n  - major_fault_5000m" in text
    assert "\n    k_th" in text
    assert "without faults.major: major_fault_5000m" in text
    assert "without geochemistry.Te: te_1500m" in text
    assert "pathway       6 of 9 rows" in text
    only = run("commodities", "show", "gold", region_folder, "--missing")
    assert "k_th" not in only


def test_what_is_missing_is_what_the_builder_leaves_out(world):
    stack = open_stack(world)
    for name in commodity_names():
        commodity = load_commodity(name)
        found = evidence_of(commodity, stack)
        _, missing = commodity.recipe.resolve(stack)
        assert {r.name for r in found.rows if not r.present} == {r.name for r in missing if r.keep}
        for row in found.rows:
            assert bool(row.lacks) == (not row.present), row.name


def test_a_part_of_the_system_without_evidence_is_said(world):
    stack = open_stack(world)[["magnetics", "lithology"]]
    shares = evidence_of(load_commodity("antimony"), stack).shares()
    assert shares["pathway"][0] == 0
    assert shares["deposition"][0] == 0
    assert 0 < shares["trap"][0] < shares["trap"][1]
    lacks = {r.name: r.lacks for r in evidence_of(load_commodity("coal"), stack).rows}
    assert lacks["margin_gradient"] == ("gravity.bouguer",)
    stack["lithology"].attrs["classes"] = {1: "marl"}
    lacks = {r.name: r.lacks for r in evidence_of(load_commodity("coal"), stack).rows}
    assert lacks["jurassic_2000m"] == ("geology.lithology with a class jurassic coal-bearing",)


def test_a_copy_of_a_file_is_shown_as_its_own(tmp_path, region_folder):
    path = tmp_path / "my_lithium.toml"
    shutil.copy(Path(load_commodity.__code__.co_filename).with_name("gold.toml"), path)
    text = path.read_text("utf-8").replace('name = "gold"', 'name = "lithium"')
    path.write_text(text.replace("Gold (orogenic and", "Lithium (after"), "utf-8")
    shown = run("commodities", "show", path, region_folder, "--type", "au_irgs")
    assert "granitoid_contact_1500m" in shown
    assert "has no type 'x'" in run("commodities", "show", path, "--type", "x", exit_code=1)


@pytest.mark.usefixtures("fewer_cells")
def test_several_commodities_in_one_run(region_folder, tmp_path):
    out = tmp_path / "models"
    text = run(
        "train", region_folder, "-c", "antimony, gold", "-o", out, "--learner", "logistic", "-q",
        "--background", "mixed", "--match", "cover",
    )  # fmt: skip
    assert "Antimony (" in text
    assert "Gold (" in text
    assert text.count("of the ground lie under cover") == 2
    for name in ("antimony", "gold"):
        model = load_model(out / f"{name}.prospect")
        assert model.commodity == name
        assert model.record["background"] == {
            "from": "mixed", "match": "cover", "count": 500,
        }  # fmt: skip

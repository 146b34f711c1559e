"""The synthetic region: reproducible, honest about its truth, and whole on disk."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from prospect.errors import GridError, ProspectError
from prospect.grid import Grid
from prospect.raster import burn, read_info, read_native
from prospect.stack import open_stack
from prospect.synthetic import WORLDS, make_region, surveys, write_region
from prospect.synthetic.deposits import EXPECTED
from prospect.synthetic.fields import distance_to, random_field, rough_line
from prospect.synthetic.geology import JURASSIC, JURASSIC_DEPTH, MOLASSE
from prospect.synthetic.relief import Drainage
from prospect.vector import read_vector

COARSE = {"shape": (80, 100), "cell": 1000.0}


@pytest.fixture(scope="module")
def region():
    return make_region()


@pytest.fixture(scope="module")
def coarse():
    return make_region(3, **COARSE)


def oracle_auc(region, commodity):
    """Rank AUC of the truth itself: positives in proportion to it, background uniform."""
    truth = region.truth.intensity[commodity].to_numpy().astype(float)
    truth = truth[np.isfinite(truth)]
    label = np.repeat([1, 0], truth.size)
    weight = np.concatenate([truth, np.full(truth.size, truth.mean())])
    return roc_auc_score(label, np.tile(truth, 2), sample_weight=weight)


def rock_at(region, table):
    row, col, inside = region.grid.index(table["x"].to_numpy(), table["y"].to_numpy())
    assert inside.all()
    return region.lithology.to_numpy()[row, col]


def read_values(path, kind):
    info = read_info(path)
    return read_native(info, info.grid.window, categorical=kind == "categorical")


def test_same_seed_same_region(coarse):
    again = make_region(3, **COARSE)
    assert coarse.layers.identical(again.layers)
    assert coarse.truth.intensity.identical(again.truth.intensity)
    pd.testing.assert_frame_equal(coarse.occurrences, again.occurrences)
    pd.testing.assert_frame_equal(coarse.assays, again.assays)
    assert coarse.faults.equals(again.faults)


def test_another_seed_another_region(coarse):
    other = make_region(4, **COARSE)
    for name, layer in coarse.layers.items():
        assert not layer.equals(other.layers[name]), name


def test_halos_do_not_betray_the_deposits_drawn(coarse):
    other = make_region(3, realisation=1, **COARSE)
    assert coarse.layers.identical(other.layers)
    assert coarse.truth.intensity.identical(other.truth.intensity)
    pd.testing.assert_frame_equal(coarse.assays, other.assays)
    assert not coarse.truth.deposits[["x", "y"]].equals(other.truth.deposits[["x", "y"]])


def test_layers(region):
    assert Grid.of(region.layers).same_as(region.grid)
    assert region.grid.shape == (320, 400)
    for name, layer in region.layers.items():
        assert layer.dims == ("y", "x")
        categorical = layer.attrs["kind"] == "categorical"
        assert layer.dtype == (np.int32 if categorical else np.float32), name
        assert layer.attrs["role"]
        if name.endswith("_ppm"):
            assert 0.02 < np.isnan(layer).mean() < 0.4
            assert float(layer.min()) > 0
        else:
            assert np.isfinite(layer).all()


def test_cover_is_a_gap_and_never_a_class(region):
    lithology, cover = region.lithology.to_numpy(), region.layers["cover"].to_numpy()
    np.testing.assert_array_equal(lithology == -1, cover == 1)
    assert 0.05 < cover.mean() < 0.25
    assert set(np.unique(lithology)) == {-1, *region.classes}
    for commodity in EXPECTED:
        np.testing.assert_array_equal(np.isnan(region.truth.intensity[commodity]), cover == 1)


def test_cover_lies_low_and_level(region):
    elevation, cover = (region.layers[n].to_numpy() for n in ("elevation", "cover"))
    slope = np.hypot(*np.gradient(elevation, 250.0))
    assert np.median(slope[cover == 1]) < 0.5 * np.median(slope[cover == 0])
    assert np.median(elevation[cover == 1]) < np.median(elevation[cover == 0])


def test_surveys_see_the_ground(region):
    lithology = region.lithology.to_numpy()
    gravity, magnetics = (region.layers[n].to_numpy() for n in ("gravity", "magnetics"))
    trend = np.polynomial.Polynomial.fit(np.arange(320), gravity.mean(axis=1), 2)(np.arange(320))
    residual = gravity - trend[:, np.newaxis]
    assert residual[lithology == MOLASSE].mean() < residual.mean() - 5
    assert magnetics[lithology == 5].mean() > magnetics.mean() + 50


def test_reduction_to_the_pole_sets_anomalies_over_their_rocks(region):
    mass = gaussian_filter((region.lithology.to_numpy() == 5).astype(float), 3.0)
    fit = {}
    for name in ("magnetics", "magnetics_rtp"):
        field = region.layers[name].to_numpy()
        # How far south of its pluton the field sits: rows run southwards.
        over = [
            np.corrcoef(np.roll(field, -k, 0).ravel(), mass.ravel())[0, 1] for k in range(-8, 9)
        ]
        fit[name] = np.argmax(over) - 8, max(over)
    assert fit["magnetics"][0] > fit["magnetics_rtp"][0] >= 0
    assert fit["magnetics_rtp"][0] <= 1
    assert fit["magnetics_rtp"][1] > fit["magnetics"][1]


def test_reduction_to_the_pole_turned_back_is_what_was_measured():
    noise = np.random.default_rng(0).normal(size=(90, 110))
    turned = surveys.reduced_to_pole(noise, 1000.0)
    assert turned.mean() == pytest.approx(noise.mean(), abs=0.01)
    padded = np.pad(noise, 15, mode="reflect")
    _, dip = surveys._dip(padded.shape, 1000.0)
    dip[0, 0] = 1
    whole = np.fft.irfft2(np.fft.rfft2(padded) / dip**2, s=padded.shape)
    np.testing.assert_allclose(whole[15:-15, 15:-15], turned, atol=1e-12)
    back = np.fft.irfft2(np.fft.rfft2(whole) * dip**2, s=padded.shape)
    np.testing.assert_allclose(back, padded, atol=0.02)


def test_gamma_rays_see_rocks_and_hardly_the_gold(region):
    k, th = (region.layers[f"radiometrics_{e}"].to_numpy() for e in ("K", "Th"))
    lithology = region.lithology.to_numpy()
    assert np.median(k[lithology == 5]) > 1.5 * np.median(k[lithology == 3])
    truth, score = (getattr(region.truth, n)["gold"].to_numpy() for n in ("intensity", "score"))
    here = truth > 0
    latent = np.log(truth[here]) - 1.5 * score[here]
    added = np.log(k / th)[here]
    # Of the same rock, so that rocks do not speak for the latent field.
    for code in np.unique(lithology[here]):
        added[lithology[here] == code] -= added[lithology[here] == code].mean()
    assert 0.1 < np.corrcoef(added, latent)[0, 1] < 0.6


def test_ore_keeps_to_its_ground(region):
    deposits = region.truth.deposits
    rock = rock_at(region, deposits)
    coal = (deposits["commodity"] == "coal").to_numpy()
    assert np.isin(rock[coal], [JURASSIC, MOLASSE]).all()
    assert not np.isin(rock[~coal], [JURASSIC, MOLASSE, -1]).any()


def test_intensity_sums_to_the_expected_number(region):
    for commodity, number in EXPECTED.items():
        total = float(region.truth.intensity[commodity].sum(dtype="float64"))
        assert total == pytest.approx(number, rel=1e-4)
        drawn = (region.truth.deposits["commodity"] == commodity).sum()
        assert abs(drawn - number) < 4 * np.sqrt(number)


# Ceilings of the prototype of this recipe, METHODS section 4.
@pytest.mark.parametrize(
    ("commodity", "ceiling"), [("antimony", 0.86), ("gold", 0.90), ("coal", 0.98)]
)
def test_oracle_auc(worlds, commodity, ceiling):
    mean = np.mean([oracle_auc(world, commodity) for world in worlds])
    assert mean == pytest.approx(ceiling, abs=0.02)


@pytest.fixture(scope="module")
def worlds(region):
    return [region, *(make_region(seed, shape=(160, 200), cell=500.0) for seed in range(1, 4))]


def test_latent_field_is_worth_something_and_not_all(region):
    truth = region.truth
    for commodity in ("antimony", "gold"):
        here = truth.intensity[commodity].to_numpy() > 0
        intensity = truth.intensity[commodity].to_numpy()[here]
        score = truth.score[commodity].to_numpy()[here]
        assert 0.8 < np.corrcoef(score, np.log(intensity))[0, 1] < 0.97


def test_known_deposits(region):
    deposits = region.truth.deposits
    for commodity, group in deposits.groupby("commodity"):
        assert group["known"].sum() == round(0.45 * len(group))
        assert group["known"].sum() >= 12, commodity
    known = deposits[deposits["known"] & (deposits["commodity"] == "coal")][["x", "y"]].to_numpy()
    gap = np.hypot(*(known[:, np.newaxis] - known).transpose(2, 0, 1))
    # A chain of near neighbours counts once.
    near = np.linalg.matrix_power((gap < 1000).astype(int), len(known)) > 0
    assert len({tuple(row) for row in near}) >= 10


def test_known_deposits_are_the_easy_ones_to_reach():
    distance = {True: [], False: []}
    for realisation in range(4):
        world = make_region(5, realisation=realisation, **COARSE)
        cover = distance_to(world.layers["cover"].to_numpy() == 1, 1000.0)
        table = world.truth.deposits
        row, col, _ = world.grid.index(table["x"].to_numpy(), table["y"].to_numpy())
        for known in (True, False):
            distance[known].extend(cover[row, col][table["known"] == known])
    assert np.mean(distance[True]) < np.mean(distance[False])


def test_occurrences_have_the_faults_of_real_ones(region):
    table, deposits = region.occurrences, region.truth.deposits
    known = deposits[deposits["known"]]
    assert list(table.columns) == ["x", "y", "name", "commodity", "status"]
    assert set(table["status"]) == {"deposit", "occurrence", "showing"}
    assert region.grid.index(table["x"].to_numpy(), table["y"].to_numpy())[2].all()
    first = table.drop_duplicates("name").set_index("name")
    assert 0 < len(table) - len(first) <= 0.05 * len(first)
    right = first.loc[first.index.isin(known["name"])]
    both = right.join(known.set_index("name").add_suffix("_true"))
    offset = np.hypot(both["x"] - both["x_true"], both["y"] - both["y_true"])
    assert offset.between(99, 301).all()
    assert 0 < (both["commodity"] != both["commodity_true"]).mean() < 0.15
    assert known["name"].is_unique


def test_assays_are_censored(region):
    for element, share in (("Au", 0.55), ("Sb", 0.35), ("As", 0.10), ("Cu", 0.0)):
        column = region.assays[f"{element}_ppm"]
        low = column.str.startswith("<")
        assert low.mean() == pytest.approx(share, abs=0.04)
        assert len(set(column[low])) <= 1
        assert (pd.to_numeric(column[~low]) > 0).all()


def test_boreholes_find_coal_where_it_is_rich_and_bottom_where_basins_end(region):
    holes = region.boreholes
    row, col, inside = region.grid.index(holes["x"].to_numpy(), holes["y"].to_numpy())
    assert inside.all()
    rock = region.lithology.to_numpy()[row, col]
    assert np.isin(rock, [JURASSIC, MOLASSE, -1]).all()
    assert (rock == -1).any(), "holes see what cover hides"
    np.testing.assert_array_equal(holes["coal"], holes["coal_m"] >= 1.0)
    assert 25 < holes["coal"].sum() < 65
    rich = region.truth.intensity["coal"].to_numpy()[row, col]
    seen = np.isfinite(rich)
    assert roc_auc_score(holes["coal"][seen], rich[seen]) > 0.75
    reached = holes["basement_m"].notna()
    assert (holes["basement_m"] < holes["depth_m"])[reached].all()
    bottom = holes.assign(rock=rock)[reached].groupby("rock")["basement_m"].median()
    assert bottom[JURASSIC] < JURASSIC_DEPTH < bottom[MOLASSE]


def test_boreholes_do_not_betray_the_deposits_drawn(coarse):
    other = make_region(3, realisation=1, **COARSE)
    pd.testing.assert_frame_equal(coarse.boreholes, other.boreholes)
    assert make_region(shape=(24, 30), cell=500.0).boreholes.shape[1] == 8


def test_vectors_fit_the_map(region):
    assert set(region.faults["kind"]) == {"thrust", "strike_slip"}
    west, south, east, north = region.grid.bounds
    for table in (region.faults, region.geology, region.licence_blocks):
        assert table.crs == region.grid.crs
        assert table.geometry.is_valid.all()
        bounds = table.total_bounds
        assert (bounds >= [west - 1, south - 1, west, south]).all()
        assert (bounds <= [east, north, east + 1, north + 1]).all()
    assert region.licence_blocks["name"].is_unique
    blocks = region.licence_blocks.geometry
    assert blocks.union_all().area == pytest.approx(blocks.area.sum())
    codes = {name: code for code, name in region.classes.items()}
    values = [codes[unit] for unit in region.geology["unit"]]
    burnt = burn(list(region.geology.geometry), region.grid, values=values, fill=-1)
    assert (burnt == region.lithology.to_numpy()).mean() > 0.9


def test_small_and_impossible_maps():
    small = make_region(shape=(24, 30), cell=500.0)
    assert small.layers.sizes == {"y": 24, "x": 30}
    with pytest.raises(GridError, match="at least 10 km"):
        make_region(shape=(20, 20))


def test_folder_reopens(region, tmp_path):
    folder = write_region(region, tmp_path / "регион")
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 8e6
    project = tomllib.loads((folder / "prospect.toml").read_text(encoding="utf-8"))
    assert project["format"] == 1
    assert project["grid"] == {"like": "magnetics"}
    required = {name for name, table in project["layers"].items() if table["required"]}
    assert required == {"magnetics", "elevation"}
    for name, table in project["layers"].items():
        layer = region.layers[name]
        info = read_info(folder / table["path"])
        assert info.grid.same_as(region.grid)
        assert info.unit == table["unit"]
        assert info.description == layer.attrs["long_name"]
        values = read_values(folder / table["path"], table["kind"])
        np.testing.assert_array_equal(values, layer.to_numpy())
    classes = project["layers"]["lithology"]["classes"]
    assert {int(code): name for code, name in classes.items()} == region.classes
    for name, table in project["vectors"].items():
        lines = read_vector(folder / table["path"], layer=table["layer"], where=table["where"])
        assert len(lines) == (region.faults["kind"] == name.removesuffix("s")).sum()
    occurrences = pd.read_csv(folder / project["occurrences"]["path"], encoding="utf-8")
    pd.testing.assert_frame_equal(occurrences, region.occurrences, check_dtype=False)
    assays = pd.read_csv(folder / "assays.csv", dtype=str)
    assert assays["Sb_ppm"].tolist() == region.assays["Sb_ppm"].tolist()
    holes = pd.read_csv(folder / "boreholes.csv")
    pd.testing.assert_frame_equal(holes, region.boreholes, check_dtype=False)
    for commodity in EXPECTED:
        values = read_values(folder / "truth" / f"{commodity}_intensity.tif", "continuous")
        np.testing.assert_array_equal(values, region.truth.intensity[commodity].to_numpy())
    assert "Never train on it" in (folder / "README.md").read_text(encoding="utf-8")


def test_random_field_has_its_range_and_no_echo():
    rng = np.random.default_rng(0)
    echo, at_range = [], []
    for _ in range(100):
        field = random_field(rng, (64, 64), 100.0, 1000.0)
        assert field.std() == pytest.approx(1.0)
        echo.append(np.mean(field[:, 0] * field[:, -1]))
        at_range.append(np.mean(field[:, :-10] * field[:, 10:]))
    assert abs(np.mean(echo)) < 0.1
    assert np.mean(at_range) == pytest.approx(0.13, abs=0.08)


def test_rough_line_keeps_length_and_azimuth():
    line = rough_line(np.random.default_rng(0), (0.0, 0.0), 90.0, 20_000.0)
    steps = np.hypot(*np.diff(line, axis=0).T)
    assert steps.sum() == pytest.approx(20_000.0)
    east, north = line[-1] - line[0]
    assert east > 18_000
    assert abs(north) < 3_000


def test_all_water_leaves_the_map():
    surface = np.random.default_rng(0).random((30, 40)) * 100
    drainage = Drainage(surface, 250.0)
    gathered = drainage.gather(np.ones(surface.shape))
    assert gathered.min() == 1
    border = drainage.order[drainage.receiver == 0]
    assert gathered.ravel()[border].sum() == surface.size
    climbed = drainage.climb(np.full(surface.shape, 0.1), np.zeros(surface.shape))
    assert climbed.min() == 0
    assert climbed.ravel()[border].max() == 0


def contrary(kind, seed=3):
    return make_region(seed, kind=kind, **COARSE)


@pytest.mark.parametrize("kind", [name for name in WORLDS if name != "ordinary"])
def test_a_contrary_world_stands_on_the_same_ground(coarse, kind):
    world = contrary(kind)
    assert world.kind == kind and coarse.kind == "ordinary"
    for name in ("magnetics", "gravity", "elevation", "lithology", "cover"):
        assert world.layers[name].equals(coarse.layers[name])
    assert world.faults.equals(coarse.faults)
    same_assays = world.assays.equals(coarse.assays)
    assert same_assays == (kind != "catchment dispersion")
    same_truth = world.truth.intensity.identical(coarse.truth.intensity)
    assert same_truth == (kind == "catchment dispersion")
    with pytest.raises(ProspectError, match="There is no world 'upside down'; there are ordinary"):
        contrary("upside down")


def test_wrong_signs_turn_every_mapped_driver_round(coarse):
    world = contrary("wrong signs")
    for name, z in coarse.truth.score.items():
        np.testing.assert_array_equal(world.truth.score[name], -z)
    coal = world.truth.deposits.query("commodity == 'coal'")
    assert not np.isin(rock_at(world, coal), [JURASSIC, MOLASSE]).any()


def test_other_lengths_reach_farther(coarse):
    ours, far = (r.truth.score["antimony"].to_numpy() for r in (coarse, contrary("other lengths")))
    bedrock = np.isfinite(ours)
    assert (far >= ours)[bedrock].all()
    assert np.nanmean(far) > 1.3 * np.nanmean(ours)


def test_a_missing_driver_shows_in_no_layer(coarse):
    world = contrary("missing driver")
    np.testing.assert_array_equal(world.truth.score["gold"], coarse.truth.score["gold"])
    change = np.log(world.truth.intensity["gold"] / coarse.truth.intensity["gold"]).to_numpy()
    change = change[np.isfinite(change)]
    # A factor of exp(1.5 · 2.2) beside the blind faults, before both are scaled to one sum.
    assert 2.5 < np.ptp(change) <= 1.5 * 2.2 + 1e-4


def test_sediments_are_a_mean_of_their_catchment(coarse):
    ours, mixed = (
        r.layers["Sb_ppm"].to_numpy() for r in (coarse, contrary("catchment dispersion"))
    )
    known = np.isfinite(ours)
    assert np.corrcoef(np.log(ours[known]), np.log(mixed[known]))[0, 1] > 0.3
    assert np.nanstd(np.log(mixed)) < np.nanstd(np.log(ours))


def test_concealed_deposits_are_there_and_not_known():
    world = contrary("concealed deposits")
    covered = world.layers["cover"].to_numpy() == 1
    for name in EXPECTED:
        intensity = world.truth.intensity[name].to_numpy()
        assert np.isfinite(intensity).all()
    assert world.truth.intensity["gold"].to_numpy()[covered].sum() > 1
    table = world.truth.deposits
    row, col, _ = world.grid.index(table["x"].to_numpy(), table["y"].to_numpy())
    assert covered[row, col].sum() > 3
    assert not table["known"][covered[row, col]].any()


def test_the_sample_data_are_what_the_generator_makes(tmp_path):
    kept = Path(__file__).parents[1] / "sample_data" / "region"
    made = write_region(make_region(), tmp_path / "region")
    names = sorted(p.relative_to(made) for p in made.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(kept) for p in kept.rglob("*") if p.is_file())
    assert (kept / "prospect.toml").read_text("utf-8") == (made / "prospect.toml").read_text(
        "utf-8"
    )
    ours, theirs = open_stack(kept), open_stack(made)
    for name, layer in ours.items():
        # Other versions of the libraries may differ in the last digits, and a class at its edge.
        a, b = layer.values.astype(float), theirs[name].values.astype(float)
        differing = ~np.isclose(a, b, rtol=1e-3, atol=1e-3 * np.nanstd(b), equal_nan=True)
        assert differing.mean() < 0.001, name
    assert sum(p.stat().st_size for p in kept.rglob("*")) < 15e6

"""Occurrences on the grid, and background."""

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import KDTree

from prospect.clusters import merge_within
from prospect.commodities import load_commodity
from prospect.errors import LabelError
from prospect.grid import Grid
from prospect.labels import (
    draw_background,
    keep_away,
    read_labels,
    require_enough,
    with_tested,
)
from prospect.project import OccurrenceSpec

GRID = Grid("EPSG:32642", Affine(250, 0, 600_000, 0, -250, 4_400_000), (80, 100))
GOLD = load_commodity("gold")


def table(rows, crs="EPSG:32642"):
    x, y, commodity, status = zip(*rows, strict=True)
    return gpd.GeoDataFrame(
        {"commodity": commodity, "status": status, "name": [f"d{i}" for i in range(len(rows))]},
        geometry=gpd.points_from_xy(x, y),
        crs=crs,
    )


def test_rows_are_counted_and_deposits_merged():
    labels = read_labels(
        table(
            [
                (605_000, 4_395_000, "gold", "deposit"),
                (605_600, 4_395_000, "Au", "showing"),  # a satellite
                (605_010, 4_394_990, "золото рудное", "рудопроявление"),  # the same cell
                (610_000, 4_390_000, "Au, Ag", "occurrence"),
                (612_000, 4_390_000, "gold placer", "deposit"),
                (613_000, 4_390_000, "золото россыпное", "deposit"),
                (615_000, 4_390_000, "antimony", "deposit"),
                (590_000, 4_390_000, "gold", "deposit"),  # outside
                (616_000, 4_390_000, "Aurelia stone", "deposit"),  # not gold
            ]
        ),
        GOLD,
        GRID,
    )
    assert labels.deposits == 2
    assert labels.row.size == 3
    np.testing.assert_array_equal(labels.weight, [1.0, 0.2, 0.5])
    assert labels.group[0] == labels.group[1] != labels.group[2]
    assert labels.counts["rows"] == 9
    assert labels.counts["of other commodities than gold"] == 2
    assert labels.counts["placers, left out"] == 2
    assert labels.counts["outside the grid"] == 1
    assert labels.counts["in a cell already taken"] == 1
    assert labels.other_x.size == 2
    np.testing.assert_allclose(labels.x[0], 605_125)


def test_points_are_brought_to_the_grid_and_it_is_said():
    points = table([(605_000, 4_395_000, "gold", "deposit")]).to_crs("EPSG:4326")
    labels = read_labels(points, GOLD, GRID)
    assert (labels.row[0], labels.col[0]) == (20, 20)
    assert "brought from EPSG:4326 to EPSG:32642" in labels.notes[0]


def test_without_a_commodity_column_every_row_counts_and_it_is_said():
    points = table([(605_000, 4_395_000, "x", "deposit")]).drop(columns="commodity")
    labels = read_labels(points, GOLD, GRID)
    assert labels.deposits == 1
    assert "every row is taken as gold" in labels.notes[0]


def test_csv_with_named_columns(tmp_path):
    path = tmp_path / "точки.csv"
    path.write_text("E;N;what;seen\n605000,5;4395000;gold;1\n610000;4395000;gold;0\n", "utf-8")
    spec = OccurrenceSpec(path, commodity="what", label="seen", crs="EPSG:32642", x="E", y="N")
    labels = read_labels(spec, GOLD, GRID)
    assert labels.deposits == 1
    assert list(labels.barren_col) == [40]
    with pytest.raises(LabelError, match="has no column 'metal'"):
        read_labels(
            OccurrenceSpec(path, commodity="metal", crs="EPSG:32642", x="E", y="N"), GOLD, GRID
        )


def test_no_occurrence_inside_says_where_they_lie():
    with pytest.raises(LabelError, match=r"falls inside the grid .* around x = 10, y = 20"):
        read_labels(table([(10, 20, "gold", "deposit")]), GOLD, GRID)
    with pytest.raises(LabelError, match="0 of 1 rows are of gold"):
        read_labels(table([(605_000, 4_395_000, "coal", "deposit")]), GOLD, GRID)


def test_merging_follows_chains():
    x = np.array([0, 900, 1800, 5000, 5500, 9000], float)
    np.testing.assert_array_equal(
        merge_within(np.column_stack([x, np.zeros(6)]), 1000), [0, 0, 0, 1, 1, 2]
    )


def test_merging_agrees_with_all_pairs():
    points = np.random.default_rng(0).uniform(0, 20_000, (300, 2))
    number, expected = merge_within(points), fcluster(linkage(points, "single"), 1000, "distance")
    assert 50 < number.max() < 150
    same = number[:, None] == number
    np.testing.assert_array_equal(same, expected[:, None] == expected)


def test_background_keeps_away_and_repeats():
    ground = np.ones(GRID.shape, bool)
    ground[:, :10] = False
    x, y = np.array([GRID.x[50]]), np.array([GRID.y[40]])
    draw = {"away_from": (x, y), "distance": 3000, "random_state": 5}
    row, col = draw_background(ground, GRID, 500, **draw)
    assert row.size == 500
    assert np.unique(row * 100 + col).size == 500
    assert ground[row, col].all()
    assert np.hypot(GRID.x[col] - x, GRID.y[row] - y).min() >= 3000
    again = draw_background(ground, GRID, 500, **draw)
    np.testing.assert_array_equal(row, again[0])
    everything = draw_background(ground, GRID, 10**6)
    assert everything[0].size == ground.sum()
    with pytest.raises(LabelError, match="no ground to draw background from"):
        draw_background(np.zeros(GRID.shape, bool), GRID, 5)


def test_few_deposits_are_not_learnt_from():
    rows = [(601_000 + 2000 * i, 4_395_000, "gold", "deposit") for i in range(8)]
    require_enough(read_labels(table(rows), GOLD, GRID), "gold")
    with pytest.raises(LabelError, match=r"7 deposits of gold .* at least 8"):
        require_enough(read_labels(table(rows[:7]), GOLD, GRID), "gold")


def test_rows_that_do_not_train_are_told_with_their_reasons(tmp_path):
    path = tmp_path / "рудопроявления.csv"
    path.write_bytes(
        "название;полезное ископаемое;статус;восток;X;Y\n"
        "А;золото;месторождение;;605000;4395000\n"
        "Б;золото россыпное;месторождение;;606000;4395000\n"
        "В;сурьма;рудопроявление;;607000;4395000\n"
        "Г;золото;неясно;;608000,5;4 395 000\n"
        "Д;золото;рудопроявление;;нет;4395000\n"
        "Е;золото;проявление;;590000;4395000\n".encode("cp1251")
    )
    labels = read_labels(OccurrenceSpec(path, crs="EPSG:32642"), GOLD, GRID)
    assert labels.name.tolist() == ["А", "Г"]
    assert labels.source.tolist() == [1, 4]
    rejected = labels.where(np.array([True, False]), "on gaps").rejected()
    assert rejected["row"].tolist() == [2, 3, 4, 5, 6]
    assert rejected["название"].tolist() == ["Б", "В", "Г", "Д", "Е"]
    assert rejected["reason"].tolist() == [
        "placers, left out",
        "of other commodities than gold",
        "on gaps",
        "without coordinates",
        "outside the grid",
    ]
    assert labels.counts["rows"] == 6 == len(labels.name) + sum(list(labels.counts.values())[1:])
    assert any("CP1251" in note for note in labels.notes)
    assert any("not understood stands in 1 rows ('неясно')" in note for note in labels.notes)


def test_ground_that_was_tested_and_barren_is_known(tmp_path):
    labels = read_labels(table([(605_000, 4_395_000, "gold", "deposit")]), GOLD, GRID)
    path = tmp_path / "barren.csv"
    path.write_text("lon,lat\n70.17,39.66\n70.17,39.66\n75,39\n")
    known = with_tested(labels, path, GRID)
    assert known.counts["cells tested and barren"] == 1
    x, y = GRID.x[known.barren_col[0]], GRID.y[known.barren_row[0]]
    lon, lat = Transformer.from_crs(32642, 4326, always_xy=True).transform(x, y)
    assert (lon, lat) == pytest.approx((70.17, 39.66), abs=0.003)
    # What a label column said already is not told twice, and a deposit is not barren.
    assert with_tested(known, path, GRID).barren_row.size == 1
    inside = Transformer.from_crs(32642, 4326, always_xy=True).transform(labels.x[0], labels.y[0])
    path.write_text(f"lon,lat\n70.17,39.66\n{inside[0]},{inside[1]}\n")
    again = with_tested(labels, path, GRID)
    assert (again.barren_row.size, again.counts["cells tested and barren"]) == (1, 1)
    assert again.notes[-1].startswith("1 barren cells of")
    path.write_text("lon,lat\n5,39\n")
    with pytest.raises(LabelError, match="None of the 1 barren places"):
        with_tested(labels, path, GRID)


def test_a_table_of_the_whole_world_is_outside_but_for_what_is_near(tmp_path):
    path = tmp_path / "mines.csv"
    path.write_text("lon,lat,commodity\n70.17,39.66,gold\n-120,-80,gold\n-110,-10,coal\n")
    labels = read_labels(OccurrenceSpec(path), GOLD, GRID)
    assert labels.source.tolist() == [1]
    assert labels.rejected()["reason"].tolist() == [
        "outside the grid",
        "of other commodities than gold",
    ]
    assert np.isfinite(labels.other_x).all()
    path.write_text("lon,lat,commodity\n-120,-80,gold\n")
    with pytest.raises(LabelError, match="1 of 1 rows are of gold"):
        read_labels(OccurrenceSpec(path), GOLD, GRID)


def test_no_cell_at_all_is_not_drawn():
    with pytest.raises(LabelError, match="At least one cell is drawn"):
        draw_background(np.ones(GRID.shape, bool), GRID, 0)


def test_ground_away_from_points_is_what_a_tree_of_points_finds():
    rng = np.random.default_rng(0)
    ground = rng.random(GRID.shape) < 0.8
    x = np.append(rng.uniform(595_000, 630_000, 40), GRID.x[[3, 50]])
    y = np.append(rng.uniform(4_375_000, 4_405_000, 40), GRID.y[[3, 50]])
    everywhere = np.stack(np.meshgrid(GRID.x, GRID.y), axis=-1)
    for distance in (0.0, 100.0, 1000.0, 3000.0):
        nearest = KDTree(np.column_stack([x, y])).query(everywhere)[0]
        kept = keep_away(ground, GRID, (x, y), distance)
        np.testing.assert_array_equal(kept, ground & (nearest >= distance))
    assert keep_away(ground, GRID, (x[:0], y[:0]), 1000.0).sum() == ground.sum()


def test_background_goes_by_chance_where_one_is_given():
    ground = np.ones(GRID.shape, bool)
    chance = np.ones(GRID.shape, np.float32)
    chance[:, :50] = 3.0
    chance[:10] = np.nan
    chance[-10:] = 0
    row, col = draw_background(ground, GRID, 1000, chance=chance, random_state=1)
    assert row.size == 1000
    assert row.min() >= 10
    assert row.max() < 70
    assert (col < 50).mean() == pytest.approx(0.75, abs=0.04)
    other = draw_background(ground, GRID, 1000, chance=chance, random_state=2)
    assert not np.array_equal(row, other[0])


def test_commodities_that_are_associated_are_never_barren():
    labels = read_labels(
        table(
            [
                (605_000, 4_395_000, "gold", "deposit"),
                (606_000, 4_395_000, "coal", "deposit"),
                (607_000, 4_395_000, "мышьяк, уголь", "deposit"),  # arsenic goes with gold
                (608_000, 4_395_000, "antimony", "deposit"),
                (609_000, 4_395_000, "", "deposit"),  # who knows
                (610_000, 4_395_000, "gold placer", "deposit"),
            ]
        ),
        GOLD,
        GRID,
    )
    assert labels.other_barren.tolist() == [True, False, False, False]


TYPED = [
    (605_000, 4_395_000, "gold", "skarn"),
    (608_000, 4_395_000, "gold", "orogenic gold-quartz vein"),
    (611_000, 4_395_000, "gold", ""),
    (614_000, 4_395_000, "coal", "intrusion-related"),
]


def typed():
    points = table([(x, y, what, "deposit") for x, y, what, _ in TYPED])
    points["deposit_type"] = [kind for *_, kind in TYPED]
    return points


def test_one_type_is_learnt_alone_and_the_unknown_weigh_half():
    labels = read_labels(typed(), load_commodity("au_irgs"), GRID)
    assert labels.deposit_type.tolist() == ["au_irgs", ""]
    assert labels.weight.tolist() == [1.0, 0.5]
    assert labels.counts["of other types than au_irgs"] == 1
    assert any("1 of 2 occurrences do not say their type" in note for note in labels.notes)
    # Gold of another type is no background for gold, coal is.
    assert sorted(zip(labels.other_x, labels.other_barren, strict=True)) == [
        (608_000, False),
        (614_000, True),
    ]
    kept = labels.where(np.array([False, True]), "on gaps")
    assert kept.deposit_type.tolist() == [""]


def test_types_are_never_pooled_in_silence():
    labels = read_labels(typed(), GOLD, GRID)
    assert labels.deposits == 3
    assert labels.weight.tolist() == [1, 1, 1]
    (told,) = [note for note in labels.notes if "types" in note]
    assert "au_orogenic 1, au_irgs 1, unknown 1" in told
    labels = read_labels(typed().drop(columns="deposit_type"), GOLD, GRID)
    assert any("no types are told" in note for note in labels.notes)


def test_a_cell_is_barren_once_and_not_where_a_deposit_stands(tmp_path):
    path = tmp_path / "wells.csv"
    rows = ["605010;4395010;gold;1", "605020;4395020;gold;0"]
    rows += ["610010;4395010;gold;0", "610020;4395020;gold;0", "611010;4395010;gold;0"]
    path.write_text("\n".join(["E;N;what;seen", *rows]))
    spec = OccurrenceSpec(path, commodity="what", label="seen", crs="EPSG:32642", x="E", y="N")
    labels = read_labels(spec, GOLD, GRID)
    cells = set(zip(labels.barren_row.tolist(), labels.barren_col.tolist(), strict=True))
    assert labels.deposits == 1
    assert len(labels.barren_row) == len(cells) == 2
    assert (labels.row[0], labels.col[0]) not in cells
    assert "1 barren rows share a cell with a deposit: left out" in labels.notes


def test_where_another_commodity_was_looked_for_in_vain_nothing_lies(tmp_path):
    path = tmp_path / "wells.csv"
    rows = ["605010;4395010;gold;;1", "606010;4395010;coal;;0", "607010;4395010;coal;;1"]
    rows += ["608010;4395010;antimony;;0", "609010;4395010;gold;orogenic;0"]
    path.write_text("\n".join(["E;N;what;type;seen", *rows]))
    spec = OccurrenceSpec(path, commodity="what", label="seen", crs="EPSG:32642", x="E", y="N")
    labels = read_labels(spec, GOLD, GRID)
    assert labels.other_x.tolist() == [607_010]
    assert labels.other_barren.tolist() == [True]
    assert labels.barren_row.size == 1
    labels = read_labels(spec, load_commodity("au_irgs"), GRID)
    assert labels.other_x.tolist() == [607_010]

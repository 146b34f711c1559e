"""Roles, guessed from names."""

import pytest

from prospect.roles import ELEMENTS, family, guess_role, matches


@pytest.mark.parametrize(
    ("name", "role", "unit", "doubtful"),
    [
        ("mag_rtp.tif", "magnetics.rtp", "nT", False),
        ("Magnetic-RTP.TIF", "magnetics.rtp", "nT", False),
        ("TMI_RTP_2019.tif", "magnetics.rtp", "nT", False),
        ("TMI_2019.tif", "magnetics.tmi", "nT", False),
        ("AeroMag.tif", "magnetics.tmi", "nT", False),
        ("em_app_res.tif", "electromagnetics.apparent_resistivity", "", False),
        ("em_real.tif", "electromagnetics.real", "", False),
        ("bouguer_2010.tif", "gravity.bouguer", "mGal", False),
        ("DEM.tif", "elevation", "m", False),
        ("SRTM30.tif", "elevation", "m", False),
        ("litho200k.tif", "geology.lithology", "", False),
        ("lithology.tif", "geology.lithology", "", False),
        ("study_area.tif", "area.study", "", False),
        ("Sb_ppm.tif", "geochemistry.Sb", "ppm", False),
        ("Au_ppb.tif", "geochemistry.Au", "ppb", False),
        ("Fe_pct.tif", "geochemistry.Fe", "%", False),
        ("till_gc_sb.tif", "geochemistry.Sb", "", True),
        ("geochemistry_till_gc_as.tif", "geochemistry.As", "", True),
        ("dst_struct.tif", "distance.struct", "m", True),
        ("dns_worms.tif", "density.worms", "", True),
        ("distance_to_granite.tif", "distance.to_granite", "m", True),
        ("derivatives_litho200klind.tif", "derivative.litho200klind", "", True),
        ("карта 1.tif", "other.карта_1", "", True),
        ("123.tif", "other.123", "", True),
        (".tif", "other.tif", "", True),
        # In Russian, and with the size of their cells.
        ("Магнитка_2019.tif", "magnetics.tmi", "nT", False),
        ("Гравика Буге.tif", "gravity.bouguer", "mGal", False),
        ("УЭС_200м.tif", "electromagnetics.apparent_resistivity", "", False),
        ("рельеф.tif", "elevation", "m", False),
        ("Литология_200k.tif", "geology.lithology", "", False),
        ("Классы_пород.tif", "geology.rock_class", "", False),
        ("горные породы.tif", "geology.lithology", "", False),
        ("Сурьма_морена.tif", "geochemistry.Sb", "", True),
        ("Золото.tif", "geochemistry.Au", "", True),
        ("расстояние_до_разломов.tif", "distance.до_разломов", "m", True),
        ("расстояние до дороги.tif", "access.до_дороги", "m", False),
        ("Cu_ppm_700m.tif", "geochemistry.Cu", "ppm", False),
        ("geochem_Au_200k.tif", "geochemistry.Au", "", True),
        # Bands of satellites, whatever the product calls them.
        ("AST_L1T_00307012003_ImageData3N.tif", "aster.b3n", "", False),
        ("AST_07XT_SRF_SWIR_B05.tif", "aster.b5", "", False),
        ("ASTER_Band13.tif", "aster.b13", "", False),
        ("LC08_L2SP_152032_20200801_02_T1_SR_B4.TIF", "landsat.b4", "", False),
        ("LC09_L1TP_B10.TIF", "landsat.b10", "", False),
        ("T42TVL_20200101T060000_B8A_20m.tif", "sentinel2.b8a", "", False),
        ("sentinel2_b02.tif", "sentinel2.b2", "", False),
        # Landsat 7 numbers its bands otherwise.
        ("LE07_L1TP_B4.TIF", "other.le07_l1tp_b4", "", True),
        ("basement_b5.tif", "other.basement_b5", "", True),
        ("aster_b15.tif", "other.aster_b15", "", True),
        # Words that only hold a known one are another thing.
        ("image.tif", "other.image", "", True),
        ("demand.tif", "other.demand", "", True),
        ("stream_order_in.tif", "geochemistry.In", "", True),
        ("drive_in.tif", "other.drive_in", "", True),
    ],
)
def test_roles_from_names(name, role, unit, doubtful):
    guess = guess_role("some folder/" + name)
    assert (guess.role, guess.unit, bool(guess.doubts)) == (role, unit, doubtful)


@pytest.mark.parametrize("element", sorted(ELEMENTS))
def test_every_element_alone_and_with_its_unit(element):
    for name in (element, f"{element.lower()}_ppm", f"till_{element.upper()}_ppb"):
        assert guess_role(f"{name}.tif").role == f"geochemistry.{element}"


def test_families_and_patterns():
    assert family("geochemistry.Sb") == "geochemistry"
    assert family("elevation") == "elevation"
    assert matches("geochemistry.*", "geochemistry.Sb")
    assert matches("elevation.*", "elevation")
    assert matches("elevation", "elevation")
    assert not matches("geochemistry", "geochemistry.Sb")
    assert not matches("geo.*", "geochemistry.Sb")


@pytest.mark.real
def test_the_layers_of_a_survey(real_data):
    files = sorted((real_data / "lapland_gold" / "rasters").glob("*.tif"))
    roles = {path.stem: guess_role(path) for path in files}
    assert sum(g.role.startswith("geochemistry.") for g in roles.values()) == 18
    assert sum(g.role.startswith("electromagnetics.") for g in roles.values()) == 3
    assert not [name for name, g in roles.items() if g.role.startswith("other.")]


def test_where_people_come_is_not_evidence():
    for name, role in (
        ("dist_roads", "access.roads"),
        ("distance_to_railway", "access.to_railway"),
        ("roads", "roads.road"),
        ("snow_cover_2020", "snow.share"),
        ("dist_faults", "distance.faults"),
    ):
        assert guess_role(f"{name}.tif").role == role


def test_gamma_rays_are_not_assays():
    for name, role in (
        ("radiometrics_K", "radiometrics.K"),
        ("gamma_eTh_ppm", "radiometrics.Th"),
        ("radiometric_uranium", "radiometrics.U"),
        ("soil_Th_ppm", "geochemistry.Th"),
        ("gamma_total", "other.gamma_total"),
    ):
        assert guess_role(f"{name}.tif").role == role

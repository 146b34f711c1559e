"""Tables as people write them."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prospect.errors import LayerError
from prospect.tables import Element, degrees, guess_columns, guess_encoding, numbers, read_table
from prospect.tables.columns import element_of


def test_commas_in_a_name_do_not_decide(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("name;x;y\n" + "a, b, c, d, e;1,5;2,5\n" * 3)
    assert read_table(path).columns.tolist() == ["name", "x", "y"]


def test_numbers_as_people_write_them():
    text = pd.Series(["1", "-2,5", "\u22123.5", "1 234,5", " 7 ", "", "n/a", "1,234.5"])
    assert numbers(text).tolist()[:5] == [1, -2.5, -3.5, 1234.5, 7]
    assert np.isnan(numbers(text)[5:7]).all()
    assert numbers(text)[7] == 1234.5
    assert numbers(pd.Series(["1.234.567,5", "12.345,6"])).tolist() == [1234567.5, 12345.6]


def test_angles_as_people_write_them():
    written = {
        "40.5": 40.5,
        "\u221240,5": -40.5,
        "40°30′15″N": 40.504166667,
        "40 30 15": 40.504166667,
        "40d30m15s": 40.504166667,
        "71°12.5' в.д.": 71.208333333,
        "71°12'30,5\" з.д.": -71.208472222,
        "12 30 S": -12.5,
        "с.ш. 39°57′": 39.95,
    }
    found = degrees(pd.Series(list(written)))
    np.testing.assert_allclose(found, list(written.values()), atol=1e-9)
    wrong = ["10°75'", "abc", "", "40.5°30'", "1 2 3 4", "40°30′ of Khaidarkan"]
    assert np.isnan(degrees(pd.Series(wrong))).all()


RUSSIAN = "название;сырьё;x;y\nХайдаркан;Ртуть, сурьма;1;2\nКадамджай;Сурьма;3;4\n"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp866", "koi8-r"],
)
def test_every_encoding_that_surveys_use_is_found(tmp_path, encoding):
    path = tmp_path / "таблица.csv"
    path.write_bytes(RUSSIAN.encode(encoding))
    table = read_table(path)
    assert table["название"].tolist() == ["Хайдаркан", "Кадамджай"]
    assert encoding.split("-sig")[0].upper() in table.attrs["read_as"]


def test_an_encoding_that_is_named_is_used_or_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("название;x\nЁ;1\n".encode("cp866"))
    assert read_table(path, encoding="cp866")["название"].tolist() == ["Ё"]
    with pytest.raises(LayerError, match="cannot be read as utf-8"):
        read_table(path, encoding="utf-8")


def test_a_letter_cut_by_the_sample_is_still_utf_8():
    text = ("ж" * 2**20).encode()
    for cut in (2**20 - 1, 2**20, 2**20 + 1):
        assert guess_encoding(b"a" * (cut % 2) + text) == "utf-8"


def test_a_spreadsheet_reads_as_its_table(tmp_path):
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame().to_excel(book, sheet_name="empty", index=False)
        pd.DataFrame({" x ": [1.0, 2.5], "название": ["Алтын", None]}).to_excel(
            book, sheet_name="лист", index=False
        )
    table = read_table(path)
    assert table.to_dict("list") == {"x": ["1", "2.5"], "название": ["Алтын", ""]}
    assert table.attrs["read_as"] == "sheet 'лист', of 2"
    with pytest.raises(LayerError, match="has no sheet 'b'; it has: empty, лист"):
        read_table(path, sheet="b")


def test_what_is_no_spreadsheet_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"not a zip")
    with pytest.raises(LayerError, match="is not a spreadsheet"):
        read_table(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "nothing of a spreadsheet")
    with pytest.raises(LayerError, match="is not a spreadsheet"):
        read_table(path)
    monkeypatch.setenv("PROSPECT_MAX_SHEET_MB", "0.00001")
    with pytest.raises(LayerError, match=r"would unpack to .* set PROSPECT_MAX_SHEET_MB="):
        read_table(path)


def test_columns_are_known_by_their_names():
    columns = guess_columns(["№", "Mine Name ", "Primary Commodity", "Longitude", "Latitude", "X"])
    assert (columns.x, columns.y, columns.in_degrees) == ("Longitude", "Latitude", True)
    assert (columns.name, columns.commodity) == ("Mine Name ", "Primary Commodity")
    russian = guess_columns(["Наименование", "Полезное ископаемое", "Ранг", "Х", "У"])
    assert (russian.x, russian.y, russian.in_degrees) == ("Х", "У", False)
    assert russian.status == "Ранг"
    assert guess_columns(["a", "b"]).describe() == "no column was recognised"


@pytest.mark.parametrize(
    ("header", "element", "unit"),
    [
        ("Sb_ppm", "Sb", "ppm"),
        ("Au, г/т", "Au", "г/т"),
        ("As", "As", ""),
        ("АS, %", "As", "%"),  # a Cyrillic А
        ("Сурьма (мг/кг)", "Sb", "мг/кг"),
        ("W [ppb]", "W", "ppb"),
    ],
)
def test_headers_name_elements_and_units(header, element, unit):
    assert element_of(header) == Element(header, element, unit)


@pytest.mark.parametrize("header", ["C", "K", "x", "Status", "No", "Sb comment", "Autumn"])
def test_other_headers_name_no_element(header):
    assert element_of(header) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_survives_however_it_is_written(value):
    text = repr(value)
    written = [text, text.replace(".", ","), text.replace("-", "\u2212"), f" {text}\u00a0"]
    assert numbers(pd.Series(written)).tolist() == [value] * 4


def test_what_is_no_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(LayerError, match="not a text but a binary file"):
        read_table(path)
    with pytest.raises(LayerError, match="There is no file"):
        read_table(tmp_path / "missing.csv")


def test_single_letters_do_not_decide_the_encoding():
    # Sample numbers and units: few words, and capitals whose bytes are small letters in KOI8.
    rows = ["№ пробы;X;Y;Sb, г/т;W, %"]
    rows += [f"П-{i};650000;4400000;н/о;<1·10-3" for i in range(200)]
    text = "\n".join(rows)
    for name in ("cp1251", "koi8-r"):
        assert guess_encoding(text.replace("·", "*").replace("№", "N").encode(name)) == name
    assert guess_encoding(text.encode("cp1251")) == "cp1251"
    assert guess_encoding("ПРОБА;СУРЬМА\n1;2".encode("cp866")) == "cp866"


def test_a_damaged_spreadsheet_is_refused_in_words(tmp_path):
    good, bad = tmp_path / "good.xlsx", tmp_path / "bad.xlsx"
    pd.DataFrame({"x": [1], "y": [2]}).to_excel(good, index=False)
    for part in ("sheet1.xml", "workbook.xml"):
        with zipfile.ZipFile(good) as whole, zipfile.ZipFile(bad, "w") as cut:
            for item in whole.infolist():
                data = whole.read(item)
                cut.writestr(item.filename, data[:60] if item.filename.endswith(part) else data)
        with pytest.raises(LayerError, match=r"bad.xlsx is not a spreadsheet \("):
            read_table(bad)

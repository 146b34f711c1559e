"""The QGIS style."""

import xml.etree.ElementTree as ET

import numpy as np

from prospect.styles import SHARES, qgis_style, thresholds


def test_colours_change_at_shares_of_the_area():
    scores = np.concatenate([np.arange(1000), [np.nan] * 50]).astype(np.float32)
    limits = thresholds(scores)
    np.testing.assert_allclose(limits, [999 * (1 - share) for share in SHARES], rtol=1e-6)
    root = ET.fromstring(qgis_style(limits, "Gold & more").split("\n", 1)[1])
    items = root.findall(".//item")
    assert len(items) == len(SHARES) + 1
    assert [float(item.get("value")) for item in items[:-1]] == limits
    assert items[-1].get("label") == "top 1 %"
    assert thresholds(np.array([np.nan], np.float32)) == []

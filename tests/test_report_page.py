"""The page opened in a real browser: nothing is asked of the network, and the map answers."""

import io
import shutil
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from shapely import Polygon

from prospect.report import write_report
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.vector import frame

pytestmark = pytest.mark.browser
WIDE, NARROW = (1400, 1000), (390, 844)


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="the extra 'browser' is not there")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not there: tools/install_browser.sh installs it")
    with api.sync_playwright() as play:
        # The sandbox of Chromium does not start for root; the page is our own.
        started = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def page_file(gold_model, world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    path = score(gold_model, open_stack(world), folder / "gold.tif", workers=2)
    x, y = gold_model.samples["x"].mean(), gold_model.samples["y"].mean()
    square = Polygon([(x, y), (x + 9e3, y), (x + 9e3, y + 9e3), (x, y + 9e3)])
    columns = {"rank": [1], "list": ["targets"], "area_km2": [81.0], "share": [0.1]}
    columns |= {"drivers": ["<img src=x onerror=fetch(1)> (1:200,000, 1986)"]}
    columns |= {"layer": ["geochemistry"], "layer_gap": [0.5], "layer_move": [0.05]}
    columns |= {"line_from": [0.05], "line_to": [0.02]}
    columns |= {"line_x1": [x + 1e3], "line_y1": [y + 4e3], "line_x2": [x + 8e3]}
    columns |= {"line_y2": [y + 4e3]}
    targets = frame(columns, [square], "EPSG:32642")
    return write_report(folder / "gold.html", path, gold_model, world, targets=targets)


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "phone"])
def opened(browser, page_file, request):
    """The page, and all that went wrong or out of it."""
    width, height = request.param
    trouble = []
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else trouble.append(r.url),
    )
    page.goto(page_file.as_uri())
    page.wait_for_selector("body[data-ready=true]", timeout=30_000)
    yield page, trouble
    context.close()


def picture(page):
    page.locator("#map").scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)
    shot = page.locator("#map").screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def changed(before, after):
    """Share of pixels that differ visibly."""
    return (np.abs(before - after).max(axis=2) > 12).mean()


def test_nothing_goes_wrong_and_nothing_leaves_the_file(opened):
    page, trouble = opened
    picture(page)
    assert trouble == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= page.viewport_size["width"]


def test_the_map_shows_colours_of_the_likelihood(opened):
    page, _ = opened
    page.locator("#opacity").fill("100")
    seen = picture(page).reshape(-1, 3)
    for colour in ((0x1B, 0x0C, 0x41), (0xED, 0x69, 0x25)):
        assert (np.abs(seen - colour).max(axis=1) < 8).mean() > 0.003


def test_opacity_and_layers_change_what_is_drawn(opened):
    page, _ = opened
    before = picture(page)
    page.locator("#opacity").fill("20")
    faint = picture(page)
    assert changed(before, faint) > 0.3
    page.get_by_label("thrusts").check()
    with_faults = picture(page)
    assert changed(faint, with_faults) > 0.003
    page.get_by_label("Known deposits").uncheck()
    assert changed(with_faults, picture(page)) > 0.0005


def test_a_click_reads_the_values_there(opened):
    page, _ = opened
    before = picture(page)
    box = page.locator("#map").bounding_box()
    page.locator("#map").click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    told = page.locator("#readout").inner_text()
    assert "Likelihood" in told
    assert "of the ground" in told
    assert changed(before, picture(page)) > 0


def test_the_keyboard_reads_the_middle_of_the_map(opened):
    page, _ = opened
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    assert "Values here" in page.locator("#readout").inner_text()


def test_a_target_of_the_list_is_shown_on_the_map(opened):
    page, trouble = opened
    before = picture(page)
    page.get_by_role("button", name="Show on the map: 1").click()
    page.wait_for_timeout(800)
    told = page.locator("#readout").inner_text()
    assert "Values here" in told
    # A text from a file is a text, whatever stands in it.
    assert "<img src=x onerror=fetch(1)> (1:200,000, 1986)" in told
    assert "T1" in told
    shown = picture(page)
    assert changed(before, shown) > 0.2
    page.get_by_role("checkbox", name="Traverses").check()
    assert changed(shown, picture(page)) > 0.001
    assert trouble == []


NAMELESS = """() => [...document.querySelectorAll('input, button, a, [role=group]')].filter((e) =>
  !(e.labels && e.labels.length && e.labels[0].textContent.trim()) && !e.getAttribute('aria-label')
  && !e.title && !e.textContent.trim()).map((e) => e.outerHTML)"""

FAINT = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0.9) return c.slice(0, 3); } return [255, 255, 255]; };
  return [...document.querySelectorAll('main *, header *, footer *')].filter((e) =>
    [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
    && !e.closest('script, style, noscript')).filter((e) => {
      const pair = [light(numbers(getComputedStyle(e).color).slice(0, 3)), light(ground(e))];
      return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05) < 4.5;
    }).map((e) => e.outerHTML.slice(0, 90)); }"""
"""Texts whose contrast to their ground is below what WCAG 2 asks for (AA, 4.5 : 1)."""


def test_what_a_screen_reader_and_weak_eyes_need_is_there(opened):
    page, _ = opened
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(FAINT) == []
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("th:not([scope])").count() == 0
    levels = page.evaluate(
        "() => [...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_tab_goes_to_the_map_its_layers_and_the_targets_in_this_order(opened):
    page, _ = opened
    seen = []
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("(e => e.id || e.value || e.className)(document.activeElement)"))
    order = [
        seen.index(name) for name in ("skip", "map", "likelihood", "opacity", "targets", "goto")
    ]
    assert order == sorted(order)


def test_it_prints(opened, tmp_path):
    page, trouble = opened
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert trouble == []

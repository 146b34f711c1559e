"""Tiles that fail: tried again alone, named once the rest is done, given up where all fail."""

import pytest

from prospect.errors import TileError
from prospect.grid import Window
from prospect.scoring import attempts, engines

WINDOWS = [Window(0, 256 * k, 256, 256) for k in range(60)]


@pytest.fixture
def scored(monkeypatch):
    """Let some tiles fail so many times; what was tried, in order."""
    tried = []

    def arrange(failures):
        def score_tile(job, window):
            tried.append(window)
            place = WINDOWS.index(window)
            if failures.get(place, 0) > 0:
                failures[place] -= 1
                raise RuntimeError(f"out of bounds {'' if place < 9 else 'again'}".strip())
            return {"likelihood": place}

        monkeypatch.setattr(engines, "score_tile", score_tile)
        return tried

    return arrange


def run(engine, windows=WINDOWS):
    landed = []
    try:
        landed.extend(attempts.run_tiles(engine, windows))
    except TileError as error:
        return landed, str(error)
    return landed, ""


@pytest.mark.parametrize("engine", [engines.Serial(None, 1), engines.Threads(None, 3)])
def test_what_fails_for_a_while_is_done_last(scored, engine):
    tried = scored({3: 1, 7: 2})
    landed, said = run(engine)
    assert not said
    assert sorted(each.window for each in landed) == WINDOWS
    assert {each.tile["likelihood"] for each in landed[-2:]} == {3, 7}
    assert len(tried) == 60 + 1 + 2


@pytest.mark.parametrize("engine", [engines.Serial(None, 1), engines.Threads(None, 3)])
def test_all_poisoned_tiles_are_named_once_the_rest_is_done(scored, engine):
    scored({3: 99, 7: 99, 11: 99})
    landed, said = run(engine)
    assert len(landed) == 57
    assert said == (
        "The tiles of rows 0–256 and columns 768–1024, of rows 0–256 and columns 1792–2048 cannot "
        "be scored, also alone: out of bounds; the tile of rows 0–256 and columns 2816–3072 "
        "cannot be scored, also alone: out of bounds again."
    )


def test_where_every_tile_fails_the_rest_is_not_tried(scored):
    tried = scored(dict.fromkeys(range(60), 99))
    landed, said = run(engines.Threads(None, 2))
    assert not landed
    assert said.endswith("since so many fail, the rest was not tried.")
    # 4 for each of 3 in flight, those in flight then, and 10 twice alone.
    assert len(tried) <= 12 + 4 + 2 * 10


def test_failed_tiles_do_not_pile_up(scored):
    scored(dict.fromkeys(range(30), 1))
    landed, said = run(engines.Serial(None, 1))
    assert not said
    # Those that failed first went well before the others had their turn.
    assert [each.tile["likelihood"] for each in landed].index(30) > 0

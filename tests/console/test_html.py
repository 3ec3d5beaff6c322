"""Values of others never become markup."""

from markupsafe import Markup

from services.console.formats import Quantity
from services.console.widgets import charts
from services.console.widgets.html import bar, facts, link, table, tag

ATTACK = "<img src=x onerror=alert(1)>\"'"


def test_every_part_escapes_what_it_is_given() -> None:
    parts = [
        table([ATTACK], [[ATTACK]]),
        facts([(ATTACK, ATTACK)]),
        link(ATTACK, ATTACK),
        tag(ATTACK),
    ]
    assert all("<img" not in part and "\"'" not in part for part in parts)


def test_markup_inside_a_cell_stays_markup() -> None:
    assert Markup('<a href="/x">y</a>') in table(["a"], [[link("y", "/x")]])


def test_bars_stay_within_their_box() -> None:
    assert "width:100.0%" in bar(1.7)
    assert "width:0.0%" in bar(None)


def test_chart_tips_escape_names() -> None:
    options = charts.intervals([charts.Effect(ATTACK, 1, 0.5, 2)], Quantity("en"))
    assert "<img" not in options["series"][0]["data"][0]["tip"]


def test_an_effect_is_coloured_by_what_its_interval_says() -> None:
    assert charts.Effect("a", 1, 0.5, 2).colour == charts.Effect("b", -1, -2, -0.5, better=False).colour
    assert charts.Effect("a", 1, 0.5, 2).colour != charts.Effect("c", 1, -0.5, 2).colour

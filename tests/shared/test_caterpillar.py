"""The caterpillar plot: where subjects stand, where groups are cut, and what is said of who has no interval."""

from xml.etree import ElementTree as ET

from shared.charts.caterpillar import CaterpillarRow, CaterpillarWords, caterpillar, caterpillar_shape
from shared.charts.forest import Estimate
from shared.charts.palette import PRINT

WORDS = CaterpillarWords("净流入", "机构", "客户", "差异", "位次")
ROWS = [
    CaterpillarRow("hq.a", "400", Estimate(9.0, 8.0, 10.0), "1", part=1, address="/scorecards/hq.a"),
    CaterpillarRow("hq.<b>", "300", Estimate(-2.0, -3.0, 1.0), "2–3", part=2),
    CaterpillarRow("hq.c", "500", Estimate(-1.0, -3.0, 2.0), "2–3", part=2),
    CaterpillarRow("hq.d", "7", None, why="客户太少"),
]


def test_zero_and_every_interval_are_on_the_axis_and_groups_are_cut() -> None:
    shape = caterpillar_shape(ROWS, 1000)
    assert shape.x.low < -3
    assert shape.x.high > 10
    assert len(shape.cuts) == 1
    assert shape.rows[0] < shape.cuts[0] < shape.rows[1]


def test_names_are_text_and_who_is_not_compared_says_why() -> None:
    root = ET.fromstring(str(caterpillar(ROWS, WORDS, "{:.0f}".format, PRINT)))  # noqa: S314 - our own
    table = [["".join(cell.itertext()) for cell in row] for row in root.findall(".//tbody/tr")]
    assert table[0] == ["hq.a", "400", "9  [8, 10]", "1"]
    assert table[1][0] == "hq.<b>"
    assert table[3] == ["hq.d", "7", "客户太少", "–"]
    assert [each.get("href") for each in root.iter("a")] == ["/scorecards/hq.a"]

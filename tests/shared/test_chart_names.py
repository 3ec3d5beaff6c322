"""Names in pictures: long ones take room from the plot before anything of them is left out."""

import pytest

from shared.charts.caterpillar import CaterpillarRow, CaterpillarWords, caterpillar, caterpillar_shape
from shared.charts.forest import Estimate, ForestRow, ForestWords, forest, forest_shape
from shared.charts.funnel import FunnelStage, FunnelWords, funnel
from shared.charts.palette import PRINT
from shared.charts.scale import text_width

NAME = "高净值活跃客户（affluent-active）"
FOUND = Estimate(5, 4, 6)
FOREST = ForestWords("分维度效果", "客群", "人数", "原始", "收缩后", "差异", "合并")
CATERPILLAR = CaterpillarWords("净流入", "机构", "客户", "差异", "位次")


@pytest.mark.parametrize("width", [880, 1180])
def test_a_forest_and_a_caterpillar_make_room_for_names(width: float) -> None:
    rows = [ForestRow(NAME, "9 / 9", FOUND)]
    assert f">{NAME}</text>" in forest(rows, FOREST, str, PRINT, width=width)
    subjects = [CaterpillarRow(NAME, "9", FOUND)]
    assert f">{NAME}</text>" in caterpillar(subjects, CATERPILLAR, str, PRINT, width=width)


def test_a_name_that_is_too_long_leaves_the_plot_its_room() -> None:
    for shape in (
        forest_shape([ForestRow(NAME * 9, "9", FOUND)], 880),
        caterpillar_shape([CaterpillarRow(NAME * 9, "9", FOUND)], 880),
    ):
        assert shape.x.end - shape.x.start > 250


def test_pictures_of_parts_share_the_scale_of_all() -> None:
    rows = [CaterpillarRow("a", "9", FOUND)]
    shape = caterpillar_shape(rows, 880, [-40.0, 90.0])
    assert shape.x.low < -40
    assert shape.x.high > 90


def test_names_of_stages_begin_inside_a_funnel() -> None:
    name = "Responded in time"
    words = FunnelWords("Funnel", "Stage", "Treated", "Hold-out", "unknown")
    drawn = funnel([FunnelStage(name, 4, 2)], words, PRINT)
    x = float(drawn.split(f">{name}</text>")[0].rpartition('<text x="')[2].split('"')[0])
    assert x > text_width(name)

"""Pictures from numbers: where things stand, what is written, and that user text stays text."""

from datetime import date
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from shared.charts.burn import BurnWords, Forecast, Left, burn, burn_shape, days_left
from shared.charts.course import CourseWords, Day, Event, course, course_shape
from shared.charts.forest import Estimate, ForestRow, ForestWords, forest, forest_shape
from shared.charts.funnel import FunnelStage, FunnelWords, funnel, shares
from shared.charts.heat import HeatCell, HeatWords, heat, strength
from shared.charts.palette import PRINT, SCREEN, tone_of
from shared.charts.scale import Scale, room, shortened, step_of, text_width, ticks
from shared.charts.strip import StripWords, common_room, small_strip, strip
from shared.charts.uplift import Reached, UpliftWords, uplift, uplift_shape

EVIL = '<script>alert("x")</script>&'
COURSE = CourseWords("累计差异", "天", "元", "差异", "始终有效区间", "未成熟")
FOREST = ForestWords("分维度效果", "客群", "人数", "原始", "收缩后", "差异", "合并")


def whole(value: float) -> str:
    return f"{value:,.0f}"


def parsed(chart: Markup) -> ET.Element:
    """Well-formed, with the name and the table that people who cannot see the picture are given."""
    root = ET.fromstring(str(chart))  # noqa: S314 - our own
    picture = root if root.tag == "svg" else root.find(".//svg")
    assert picture is not None
    assert picture.get("role") == "img"
    assert picture.get("aria-label")
    return root


def cells(root: ET.Element) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in root.findall(".//tbody/tr")]


@pytest.mark.parametrize(
    ("span", "count", "step"), [(10, 5, 2), (1, 4, 0.25), (7, 5, 2), (0.03, 5, 0.01), (12_345, 5, 2_500)]
)
def test_steps_are_round(span: float, count: int, step: float) -> None:
    assert step_of(span, count) == pytest.approx(step)


def test_ticks_lie_inside_and_zero_is_exactly_zero() -> None:
    assert ticks(-0.7, 2.3, 5) == [0.0, 1.0, 2.0]
    assert ticks(-0.3, 0.3, 6) == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]


def test_a_scale_turns_round_for_heights_and_stands_an_empty_span() -> None:
    assert [Scale(0, 10, 100, 0)(value) for value in (0, 5, 10)] == [100, 50, 0]
    assert Scale(0, 10, 0, 100).within(99) == 100
    assert Scale(3, 3, 0, 100)(3) == 50


def test_room_holds_zero_and_is_never_empty() -> None:
    assert room([2, 4], margin=0) == (0, 4)
    low, high = room([])
    assert low < 0 < high


def test_chinese_letters_take_a_square() -> None:
    assert text_width("客群", 12) == 24
    assert shortened("高净值客户经营活动", 60) == "高净值客…"
    assert shortened("short", 60) == "short"


def test_the_line_and_its_band_stand_where_the_numbers_say() -> None:
    days = [Day(1, 0.0), Day(2, 10.0, 5, 15), Day(3, 20.0, 10, 30, mature=False)]
    shape = course_shape(days, 1000, 300)
    assert [x for x, _ in shape.line] == [72, 526, 980]
    assert shape.line[0][1] == shape.y(0)
    (band,) = shape.bands
    assert band == [
        (526, shape.y(15)),
        (980, shape.y(30)),
        (980, shape.y(10)),
        (526, shape.y(5)),
    ]
    assert shape.immature == [(753, 980)]


def test_a_launch_stands_before_the_first_day() -> None:
    days = [Day(1, 0.0), Day(3, 10.0)]
    assert course_shape(days, 1000, 300, [Event(0, "启动"), Event(2.5, "暂停")]).x.low == 0
    assert course_shape(days, 1000, 300, [Event(2.5, "暂停")]).x.low == 1
    assert "启动" in course(days, [Event(0, "启动")], COURSE, whole, PRINT)


def test_what_happens_at_once_shares_a_mark() -> None:
    days = [Day(1, 0.0), Day(30, 10.0)]
    events = [Event(9, "暂停"), Event(0, "启动"), Event(0.01, "批次 1")]
    chart = str(course(days, events, COURSE, whole, PRINT))
    assert "启动 · 批次 1<" in chart
    assert ">暂停<" in chart


def test_a_course_tells_its_numbers_as_a_table_and_hatches_immature_days() -> None:
    days = [Day(1, 1.0), Day(2, 10.0, 5, 15), Day(3, 20.0, 10, 30, mature=False)]
    chart = course(days, [Event(1, "启动"), Event(9, "以后")], COURSE, whole, PRINT)
    root = parsed(chart)
    assert cells(root)[1] == ["2", "10", "5 ~ 15", ""]
    assert cells(root)[2][3] == "未成熟"
    assert "启动" in chart
    assert "以后" not in chart
    assert "未成熟" not in str(course(days[:2], [], COURSE, whole, PRINT)).split("<table")[0]


def test_one_day_alone_can_be_drawn() -> None:
    parsed(course([Day(1, 5.0)], [], COURSE, whole, SCREEN))


def test_a_wide_raw_interval_ends_in_an_arrow_and_does_not_flatten_the_others() -> None:
    small = ForestRow("小组", "9", Estimate(5, -500, 510), Estimate(4, -2, 9))
    large = ForestRow("大组", "900", Estimate(6, 4, 8), Estimate(6, 4, 8))
    shape = forest_shape([small, large], 1180)
    assert -4 < shape.x.low < -2
    assert 9 < shape.x.high < 11
    assert str(forest([small, large], FOREST, whole, PRINT)).count("<polygon") == 2


def test_a_row_without_an_effect_says_why() -> None:
    root = parsed(forest([ForestRow("甲", "3", None, why="太少")], FOREST, whole, PRINT))
    assert cells(root) == [["甲", "3", "太少", "–"]]


def test_colours_follow_the_interval_and_the_side_that_is_better() -> None:
    assert [tone_of(-1, 1), tone_of(1, 2), tone_of(-2, -1)] == ["muted", "good", "bad"]
    assert tone_of(1, 2, higher_is_better=False) == "bad"
    assert PRINT.good in forest([ForestRow("甲", "9", Estimate(2, 1, 3))], FOREST, whole, PRINT)
    assert "var(--bad)" in forest([ForestRow("甲", "9", Estimate(-2, -3, -1))], FOREST, whole, SCREEN)


def test_cells_of_a_heat_map_are_as_strong_as_their_values() -> None:
    assert strength(0, 10) == 0.07
    assert strength(-10, 10) == 0.5
    assert strength(3, 0) == 0.07
    found = {(0, 0): HeatCell(12.0, "n=40", sure=True), (0, 1): HeatCell(None, "n=3", why="太少")}
    root = parsed(heat(["A"], ["电话", "短信"], found, HeatWords("热图", "话术", "无"), whole, PRINT))
    assert cells(root) == [["A", "12 (n=40)", "太少 (n=3)"]]


def test_shares_of_a_funnel_are_of_the_own_group() -> None:
    stages = [FunnelStage("分配", 200, 100), FunnelStage("接触", 150, None), FunnelStage("转化", 20, 5)]
    assert shares(stages) == [(1.0, 1.0), (0.75, None), (0.1, 0.05)]
    assert shares([FunnelStage("分配", 0, 0)]) == [(0.0, 0.0)]
    words = FunnelWords("漏斗", "阶段", "触达", "对照", "尚不可知")
    assert cells(parsed(funnel(stages, words, PRINT)))[2] == ["转化", "20 (10.0%)", "5 (5.0%)"]
    assert "尚不可知" not in funnel([*stages, FunnelStage("留存", 0, 0)], words, PRINT)
    later = funnel([*stages, FunnelStage("留存", None, None)], words, PRINT)
    assert cells(parsed(later))[3] == ["留存", "–", "–"]
    assert "尚不可知" in later


def test_a_burn_down_ends_where_nothing_is_left() -> None:
    assert days_left(100, 20) == 5
    assert days_left(100, 0) is None
    days = [Left(date(2026, 3, 1), 100), Left(date(2026, 3, 6), 50)]
    shape = burn_shape(days, 100, Forecast(10, 5, 25), date(2026, 3, 21), 600, 250)
    assert shape.middle == [(shape.x(5), shape.y(50)), (shape.x(10), shape.y(0))]
    assert shape.fan[1] == (shape.x(15), shape.y(0))
    assert shape.fan[-1] == (shape.x(7), shape.y(0))
    parsed(
        burn(
            days,
            100,
            Forecast(10, 5, 25),
            date(2026, 3, 21),
            BurnWords("预算", "日", "剩余", "预测", "结束"),
            whole,
            PRINT,
        )
    )


def test_a_burn_down_that_is_slow_ends_with_the_campaign() -> None:
    days = [Left(date(2026, 3, 1), 100), Left(date(2026, 3, 6), 90)]
    shape = burn_shape(days, 100, Forecast(2, -1, 3), date(2026, 3, 11), 600, 250)
    assert shape.fan == [(shape.x(5), shape.y(90)), (shape.x(10), shape.y(90)), (shape.x(10), shape.y(75))]


def test_a_curve_of_uplift_runs_beside_the_straight_line_of_a_lot() -> None:
    points = [Reached(0, 0.0, 0, 0), Reached(0.5, 30.0, 10, 50), Reached(1, 20.0, -10, 50)]
    shape = uplift_shape(points, 690, 300)
    assert [x for x, _ in shape.line] == [84, 376, 668]
    assert shape.lot == [(84, shape.y(0)), (668, shape.y(20))]
    assert shape.band == [
        (84, shape.y(0)),
        (376, shape.y(50)),
        (668, shape.y(50)),
        (668, shape.y(-10)),
        (376, shape.y(10)),
        (84, shape.y(0)),
    ]
    words = UpliftWords("增量", "占比", "元", "按得分", "区间", "随机")
    root = parsed(uplift(points, words, whole, lambda share: f"{share:.0%}", PRINT))
    assert cells(root)[1] == ["50%", "30", "10 ~ 50", "10"]
    earlier = [Reached(each.share, each.value) for each in points]
    assert uplift_shape(earlier, 690, 300).band == []
    assert cells(parsed(uplift(earlier, words, whole, str, PRINT)))[1][2] == "–"


def test_strips_share_a_scale() -> None:
    ends = common_room([Estimate(1, -2, 4), Estimate(10, 8, 12)])
    assert ends[0] < -2
    assert ends[1] > 12
    parsed(small_strip(Estimate(1, -2, 4), ends, "muted", PRINT, "甲: +1"))
    words = StripWords("总增量", "实测", "目标")
    assert cells(parsed(strip(Estimate(1, -2, 4), 9.0, "muted", words, whole, PRINT))) == [
        ["实测", "1 [-2, 4]"],
        ["目标", "9"],
    ]


def test_what_people_typed_stays_text() -> None:
    words = ForestWords(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)
    drawn = [
        forest([ForestRow(EVIL, EVIL, Estimate(1, 0, 2), why=EVIL)], words, whole, PRINT),
        course([Day(1, 1.0), Day(2, 2.0)], [Event(1, EVIL)], CourseWords(*[EVIL] * 6), whole, PRINT),
        heat([EVIL], [EVIL], {(0, 0): HeatCell(1.0, EVIL)}, HeatWords(EVIL, EVIL, EVIL), whole, PRINT),
        funnel([FunnelStage(EVIL, 1, 1)], FunnelWords(*[EVIL] * 5), PRINT),
        small_strip(Estimate(1, 0, 2), (0, 3), "good", PRINT, EVIL),
    ]
    for chart in drawn:
        parsed(chart)
        assert "<script" not in chart

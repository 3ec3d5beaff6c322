"""The ranking bulletin as a document: everybody on it by name, and on paper on as many pages as it takes."""

import asyncio
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pypdfium2
import pytest

from services.evaluation.domain.indicators import INDICATORS
from services.evaluation.queries.bulletin_report import bulletin_html
from services.evaluation.queries.names import Names
from services.evaluation.queries.paper import printed
from services.evaluation.queries.scorecard_cards import READING, view
from shared.charts.palette import PRINT
from shared.contracts.base import LocalText
from shared.contracts.campaign.activity_targets import Attained
from shared.contracts.evaluation.scorecards import (
    Comparison,
    RankingBulletin,
    Score,
    ScorecardMethod,
    SubjectActivity,
    SubjectCard,
)
from shared.ids import new_id

INFLOW, COMPLAINTS = (each for each in INDICATORS if each.key in {"net_inflow", "complaints"})
NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
CALLS = Attained(activity="calls", done=1234, target=1200, attainment=1234 / 1200)
VISITS = Attained(activity="visits", done=17, target=None, attainment=None)
NAMES = Names(
    branches={"hq.sh": LocalText(zh="上海分行", en="Shanghai")},
    managers={"M001": LocalText(zh="王<敏>", en="Wang <Min>")},
)


def score(number: int) -> Score:
    """The first two can be told from everybody else, and the second from the first."""
    value = {1: Decimal("900.00"), 2: Decimal("500.00")}.get(number, Decimal(number % 9 - 4))
    group = min(number, 3)
    return Score(
        indicator="net_inflow",
        customers=Decimal(60),
        observed=Decimal(1000) + value,
        expected=Decimal(1000),
        difference=value,
        shrunk=value,
        ci=(value - 100, value + 100),
        standing="above" if number < 3 else "not_distinguishable",
        rank_interval=(group, group) if number < 3 else (3, 150),
        group=group,
        rank=number if number < 3 else None,
    )


def unseen() -> Score:
    return Score(
        indicator="complaints",
        customers=Decimal(60),
        observed=Decimal(0),
        expected=None,
        error="not-compared",
    )


def bulletin(subjects: int) -> RankingBulletin:
    return RankingBulletin(
        id=new_id(),
        state="published",
        level="staff",
        depth=None,
        period="2026-09",
        first_day=date(2026, 9, 1),
        last_day=date(2026, 9, 30),
        org="hq.sh",
        minimum=30,
        as_of=NOW,
        complete=1.0,
        shared=0,
        comparisons=[
            Comparison(
                indicator=view(INFLOW), subjects=subjects, groups=3, typical=Decimal(1000), spread=Decimal(50)
            ),
            Comparison(
                indicator=view(COMPLAINTS),
                subjects=0,
                groups=0,
                typical=None,
                spread=None,
                error="no-variance",
            ),
        ],
        method=ScorecardMethod(name="m", alpha=0.05, draws=2000, code_version="1", input_hash="ab" * 32),
        reading=READING,
        number=1,
        published_at=NOW,
        published_by="user:s",
        subjects=[
            SubjectCard(
                subject=f"M{number:03}",
                org="hq.sh.pudong",
                staff=f"M{number:03}",
                customers=Decimal(60),
                scores=[score(number), unseen()],
                activity=[SubjectActivity(month="2026-09", org="hq.sh.pudong", activities=[CALLS, VISITS])],
            )
            for number in range(1, subjects + 1)
        ],
        others=4,
    )


def test_the_bulletin_on_paper_has_every_subject_on_legible_pages() -> None:
    pdf = asyncio.run(printed(bulletin_html(bulletin(26), NAMES, "zh", PRINT)))
    document = pypdfium2.PdfDocument(pdf)
    pages = [re.sub(r"\s", "", page.get_textpage().get_text_range()) for page in document]
    assert len(pages) >= 3
    for number, page in enumerate(pages, start=1):
        assert f"第{number}页，共{len(pages)}页" in page
        assert len(page) > 60
    whole = "".join(pages)
    assert "上海分行（hq.sh）·客户经理·2026-09" in pages[0]
    assert "26个对象分为可区分的3组" in pages[0]
    for number in range(2, 27):
        # In the picture and in the table.
        assert whole.count(f"M{number:03}") >= 2
    assert "王<敏>（M001）" in whole
    assert "第1位" in whole
    assert "所有客户结果相同" in whole
    assert whole.count("2026-091,234/1,20017/––––") == 26
    bitmap = document[1].render(scale=1).to_numpy()
    assert (bitmap.min() < 100, bitmap.max() > 250) == (True, True)


@pytest.mark.parametrize(("subjects", "unlisted"), [(60, 0), (90, 30)])
def test_of_many_those_who_stand_out_are_listed(subjects: int, unlisted: int) -> None:
    html = bulletin_html(bulletin(subjects), NAMES, "en", PRINT)
    assert html.count('role="img"') == 4  # 60 rows in pictures of 16
    for said in (f"{unlisted} more are not.", f"{unlisted} more are not listed."):
        assert (said in html) == bool(unlisted)
    for listed in ("Wang &lt;Min&gt; (M001)", "M002"):
        assert listed in html
    assert re.search(r"[一-鿿]", html.split("</style>")[1]) is None
    # All pictures of one indicator have the same scale: the first one's largest value is on every axis.
    assert len({svg.count("¥1 k") for svg in html.split("<figure")[1:]}) == 1


def test_who_sees_nobody_of_it_reads_so() -> None:
    empty = bulletin(5).model_copy(update={"subjects": [], "state": "draft"})
    html = bulletin_html(empty, NAMES, "zh", PRINT)
    assert "其中没有您的机构或您本人" in html
    assert "尚未发布" in html
    assert "<figure" not in html

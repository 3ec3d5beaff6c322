"""The report of a campaign through the running service: one document, and the same on pages of paper."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pypdfium2
import pytest

from services.evaluation.queries import paper
from shared.auth import Role
from shared.contracts.base import LocalText
from shared.contracts.events import CampaignLaunched
from shared.errors import Unavailable
from shared.formats import Quantity, whole
from tests.evaluation.bank import BRANCHES, SEGMENTS, Campaign
from tests.support import Running, eventually

EVIL = '<img src="http://elsewhere.example/x.png">&财富客户提升'


class Named(Campaign):
    """A campaign whose name tries to be more than a name."""

    def launched(self) -> CampaignLaunched:
        return super().launched().model_copy(update={"name": LocalText(zh=EVIL, en=EVIL)})


@dataclass(frozen=True)
class Evaluated:
    campaign: Campaign
    result: dict[str, Any]


@pytest.fixture(scope="module")
async def strategist(evaluation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with evaluation.client(Role.strategist) as client:
        yield client


@pytest.fixture(scope="module")
async def evaluated(evaluation: Running, strategist: httpx.AsyncClient) -> Evaluated:
    campaign = Named(effect=500, treated=240, held_out=160)
    await evaluation.publish(*campaign.facts(), campaign.completed())

    async def there() -> bool:
        return (await strategist.get(f"/v1/campaigns/{campaign.id}/result")).status_code == 200

    await eventually(there, what="a result")
    return Evaluated(campaign, (await strategist.get(f"/v1/campaigns/{campaign.id}/result")).json())


def owners(request: httpx.Request) -> httpx.Response:
    """The customer and the segmentation service, as far as a report asks them; two units to a page."""
    assert "x-api-key" not in request.headers
    assert request.headers["authorization"].startswith("Bearer ")
    if request.url.path == "/v1/segments":
        raise httpx.ReadTimeout("nobody answers", request=request)
    first = {"hq": "总行", "hq.sh": "<上海>分行"}
    second = {BRANCHES[0]: "浦东支行", BRANCHES[1]: "徐汇支行"}
    page = second if request.url.params.get("cursor") == "2" else first
    items = [{"code": code, "name": {"zh": name, "en": f"{code} branch"}} for code, name in page.items()]
    return httpx.Response(200, json={"items": items, "next_cursor": "2" if page is first else None})


async def test_branches_are_named_and_what_nobody_names_keeps_its_code(
    evaluation: Running,
    strategist: httpx.AsyncClient,
    evaluated: Evaluated,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(owners), base_url="http://owner", headers={"X-API-Key": "a service's"}
    ) as owner:
        for service in ("customer", "segmentation"):
            monkeypatch.setitem(evaluation.runtime._clients, service, owner)
        chinese = (await report(strategist, evaluated.campaign)).text
        english = (await report(strategist, evaluated.campaign, lang="en")).text
    assert f"<td>浦东支行（{BRANCHES[0]}）</td>" in chinese
    assert "总行（hq）" in chinese
    assert f"<td>{BRANCHES[1]} branch ({BRANCHES[1]})</td>" in english
    # The third branch is on no page, and segments nobody told.
    for html in (chinese, english):
        assert f"<td>{BRANCHES[2]}</td>" in html
        assert f"<td>{SEGMENTS[0]}</td>" in html


async def report(client: httpx.AsyncClient, campaign: Campaign, **asked: str) -> httpx.Response:
    return await client.get(f"/v1/reports/campaigns/{campaign.id}", params=asked)


def pages_of(pdf: bytes) -> list[str]:
    """Text of each page, without white space: lines are broken where they fit."""
    document = pypdfium2.PdfDocument(pdf)
    return [re.sub(r"\s", "", page.get_textpage().get_text_range()) for page in document]


async def test_a_report_on_paper_says_what_the_result_says(
    strategist: httpx.AsyncClient, evaluated: Evaluated
) -> None:
    result = evaluated.result
    answer = await report(strategist, evaluated.campaign, format="pdf", lang="zh")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    pages = pages_of(answer.content)
    assert len(pages) >= 3
    assert all(len(page) > 80 for page in pages), [len(page) for page in pages]
    for number, page in enumerate(pages, start=1):
        assert f"第{number}页，共{len(pages)}页" in page
        assert "财富客户提升" in page
    first, whole_text = pages[0], "".join(pages)
    unit = Quantity("zh", "sum", "CNY")
    overall, money = result["primary"]["overall"], result["money"]
    for said in (
        "活动有效",
        unit.signed_total(Decimal(money["incremental"])),
        unit.signed_total(Decimal(money["ci"][0])),
        unit.signed(Decimal(overall["difference"])),
        f"{whole(overall['n'])}/{whole(overall['n_hold_out'])}",
    ):
        assert re.sub(r"\s", "", said) in first, said
    assert result["method"]["input_hash"] in whole_text
    for branch in BRANCHES:
        assert branch in whole_text
    for heading in (
        "健康检查",
        "漏斗",
        "留存：已转化且在分配后第30天日终仍持有所开产品者",
        "走势",
        "始终有效区间",
        "分维度效果",
        "投入产出",
        "护栏指标",
        "优化建议",
        "未能计算的内容",
    ):
        assert heading in whole_text, heading
    for check in result["health"]["checks"]:
        assert re.sub(r"\s", "", check["finding"]["zh"]) in whole_text, check["check"]
        assert re.sub(r"\s", "", check["detail"]) not in whole_text, check["check"]


async def test_html_needs_nothing_from_elsewhere_and_a_name_stays_a_name(
    strategist: httpx.AsyncClient, evaluated: Evaluated
) -> None:
    answer = await report(strategist, evaluated.campaign, lang="en")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    html = answer.text
    assert "&lt;img src=&#34;http://elsewhere.example/x.png&#34;&gt;&amp;财富客户提升" in html
    assert re.findall(r"<(?:img|script|link|iframe|object)\b", html) == []
    assert re.findall(r"\b(?:src|href)\s*=\s*[\"']|url\(|@import", html) == []
    assert html.count('role="img"') >= 3
    assert "Campaign evaluation report" in html
    assert re.search(r"[一-鿿]", html.split("</style>")[1].replace("财富客户提升", "")) is None


async def test_the_same_report_is_not_sent_twice(strategist: httpx.AsyncClient, evaluated: Evaluated) -> None:
    campaign, result = evaluated.campaign, evaluated.result
    first = await report(strategist, campaign)
    tag = first.headers["etag"]
    assert result["id"] in tag
    again = await strategist.get(f"/v1/reports/campaigns/{campaign.id}", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    other = await strategist.get(
        f"/v1/reports/campaigns/{campaign.id}", params={"lang": "en"}, headers={"If-None-Match": tag}
    )
    assert other.status_code == 200


async def test_a_branch_reads_of_its_own_customers(evaluation: Running, evaluated: Evaluated) -> None:
    campaign = evaluated.campaign
    async with evaluation.client(Role.branch_head, org=BRANCHES[0]) as head:
        own = (await report(head, campaign)).text
    assert BRANCHES[0] in own
    assert BRANCHES[1] not in own
    async with evaluation.client(Role.manager, org=BRANCHES[0]) as manager:
        assert (await report(manager, campaign)).status_code == 403


async def test_the_board_is_a_document_too(strategist: httpx.AsyncClient, evaluated: Evaluated) -> None:
    answer = await strategist.get("/v1/reports/strategy")
    assert answer.status_code == 200, answer.text
    html = answer.text
    assert "策略管理看板" in html
    row = html[html.index("&amp;财富客户提升") :].split("</tr>")[0]
    assert "活动有效" in row
    assert 'class="strip"' in row
    money = evaluated.result["money"]
    assert Quantity("zh", "sum", "CNY").signed_total(Decimal(money["incremental"])) in row
    assert "<img" not in html


async def test_without_a_result_there_is_no_report(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=3, held_out=2)
    await evaluation.publish(campaign.launched())

    async def there() -> bool:
        answer = await report(strategist, campaign)
        return bool(answer.json()["type"] == "/problems/not-evaluated")

    await eventually(there, what="a campaign without a result")
    assert (await report(strategist, campaign, format="doc")).status_code == 422


async def test_a_machine_that_cannot_print_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *rest: object) -> object:
        if name.startswith("weasyprint"):
            raise OSError("cannot load library 'libpango-1.0-0'")
        return loading(name, *rest)

    loading = __import__
    monkeypatch.setattr("builtins.__import__", missing)
    with pytest.raises(Unavailable, match="libpango"):
        await paper.printed("<p>x</p>")

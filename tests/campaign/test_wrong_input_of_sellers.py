"""What sellers ask wrongly of referrals, opportunities, plans, visits, targets, prices and quotes is named."""

from typing import Any

from shared.ids import new_id
from tests.campaign.board import Board, board
from tests.campaign.desk import desk
from tests.campaign.prices import PRICES

__all__ = ["board", "desk"]

ID = new_id()
TOO_LATE = "9999-12-31T23:59:59-14:00"
REFERRALS: list[tuple[str, str, str, Any, str]] = [
    ("A", "POST", "/referrals", {"from_line": "moon", "to": {}}, "/from_line"),
    ("A", "GET", "/referrals?state=gone", None, "/query/state/0"),
    ("A", "GET", "/referrals/x", None, "/path/referral_id"),
    ("HEAD", "POST", f"/referrals/{ID}:assign", {"manager": "a b"}, "/manager"),
    ("A", "POST", "/referrals/x:accept", None, "/path/referral_id"),
    ("A", "POST", f"/referrals/{ID}:reject", {"reason": "a\x00"}, "/reason"),
    ("A", "POST", "/referrals/x:withdraw", None, "/path/referral_id"),
    ("A", "POST", f"/referrals/{ID}:win", {"amount": "NaN"}, "/amount"),
    ("A", "POST", f"/referrals/{ID}:lose", {"reason": ""}, "/reason"),
    ("A", "GET", "/customers/x/next-offers", None, "/path/customer_id"),
]
OPPORTUNITIES: list[tuple[str, str, str, Any, str]] = [
    ("S1", "POST", "/opportunity-stages", {"stages": []}, "/stages"),
    ("A", "GET", "/opportunity-stages?limit=0", None, "/query/limit"),
    ("A", "POST", "/opportunities", {"amount": "1e99"}, "/amount"),
    ("A", "GET", "/opportunities?close_before=2026-13-01", None, "/query/close_before"),
    ("A", "GET", "/opportunities/funnel?opened_from=0001-01-01", None, "/query/opened_from"),
    ("A", "GET", "/opportunities/x", None, "/path/opportunity_id"),
    ("A", "PATCH", f"/opportunities/{ID}", {"rad": "keep"}, "/rad"),
    ("A", "POST", f"/opportunities/{ID}:move", {"stage": "A B"}, "/stage"),
    ("A", "POST", f"/opportunities/{ID}:win", {"amount": "0.001"}, "/amount"),
    ("A", "POST", f"/opportunities/{ID}:lose", {"reason": "boredom"}, "/reason"),
    ("A", "POST", f"/opportunities/{ID}:reopen", {}, "/stage"),
    ("HEAD", "POST", f"/opportunities/{ID}:assign", {"manager": ""}, "/manager"),
    ("A", "GET", "/customers/x/rad", None, "/path/customer_id"),
]
ACCOUNTS: list[tuple[str, str, str, Any, str]] = [
    ("A", "POST", "/account-plans", {"year": 1}, "/year"),
    ("A", "GET", "/account-plans?year=99999999999", None, "/query/year"),
    ("A", "GET", "/account-plans/x", None, "/path/plan_id"),
    ("A", "PATCH", f"/account-plans/{ID}", {"objectives": [{"measure": "luck"}]}, "/objectives/0/measure"),
    ("A", "POST", "/account-plans/x:activate", None, "/path/plan_id"),
    ("A", "POST", f"/account-plans/{ID}:close", {"conclusion": 5}, "/conclusion"),
    ("A", "POST", f"/account-plans/{ID}/actions", {"due_on": "soon"}, "/due_on"),
    ("A", "GET", "/account-actions?due_before=soon", None, "/query/due_before"),
    ("A", "PATCH", f"/account-actions/{ID}", {"owner": "\x00"}, "/owner"),
    ("A", "POST", f"/account-actions/{ID}:complete", {}, "/result"),
    ("A", "POST", "/visits", {"at": TOO_LATE, "purpose": "x", "customer_id": str(ID)}, "/at"),
    ("A", "GET", f"/visits?since={TOO_LATE}", None, "/query/since"),
    ("A", "GET", "/visits/x", None, "/path/visit_id"),
    ("A", "PATCH", f"/visits/{ID}", {"for_service": "perhaps"}, "/for_service"),
    ("A", "POST", f"/visits/{ID}:record", {"minutes": "-1", "result": "x"}, "/minutes"),
    ("A", "POST", f"/visits/{ID}:cancel", {}, "/reason"),
    ("HEAD", "POST", "/activity-targets", {"period": "hour"}, "/period"),
    ("A", "GET", "/activity-targets?org=..", None, "/query/org"),
    ("A", "GET", "/activity-targets/x", None, "/path/target_id"),
    ("HEAD", "PATCH", f"/activity-targets/{ID}", {"calls": 10**12}, "/calls"),
    ("A", "GET", "/activity-attainment?on=9999-12-31", None, "/query/on"),
]
PRICING: list[tuple[str, str, str, Any, str]] = [
    ("S1", "POST", "/price-lists", {**PRICES, "hurdle": "Infinity"}, "/hurdle"),
    ("S1", "POST", "/price-lists:preview", {**PRICES, "quote_days": 0}, "/quote_days"),
    ("A", "GET", "/price-lists?state=old", None, "/query/state"),
    ("A", "GET", "/price-lists/corporate", None, "/path/ref"),
    ("A", "GET", "/price-lists/a@1x/preview", None, "/path/ref"),
    ("APP", "POST", "/price-lists/corporate@0:approve", {}, "/path/ref"),
    ("APP", "POST", "/price-lists/corporate@1:reject", {}, "/reason"),
    ("A", "POST", "/price-quotes:simulate", {"months": 0}, "/months"),
    ("A", "POST", "/price-quotes", {"lines": []}, "/lines"),
    ("A", "GET", "/price-quotes?status=open", None, "/query/status"),
    ("A", "GET", "/price-quotes/x", None, "/path/quote_id"),
    ("A", "PATCH", f"/price-quotes/{ID}", {"lines": [{"volume": "-1"}]}, "/lines/0/volume"),
    ("A", "POST", "/price-quotes/x:submit", None, "/path/quote_id"),
    ("HEAD", "POST", f"/price-quotes/{ID}:approve", {"comment": "\x00"}, "/comment"),
    ("HEAD", "POST", f"/price-quotes/{ID}:reject", {}, "/reason"),
]


async def test_what_is_wrong_is_named(board: Board) -> None:
    found = []
    for who, method, path, body, pointer in [*REFERRALS, *OPPORTUNITIES, *ACCOUNTS, *PRICING]:
        answer = await board.call(who, method, path, body, version=1)
        named = [each["pointer"] for each in answer.json().get("errors", [])]
        if not 400 <= answer.status_code < 500 or pointer not in named:
            found.append((method, path, answer.status_code, named))
    assert found == []

"""Reports to print, send and keep."""

import asyncio
import hashlib
from collections import defaultdict
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Query, Response

from services.evaluation.api.access import CampaignId, CurrentLimits, CurrentStore, ReviewRead, ScorecardRead
from services.evaluation.api.boards import campaign_board
from services.evaluation.api.recommendations import OwnCredentials
from services.evaluation.api.scorecards import ScorecardId
from services.evaluation.api.series import campaign_series
from services.evaluation.api.visible import visible_result
from services.evaluation.models import Registration
from services.evaluation.queries import campaigns, results
from services.evaluation.queries.board_report import board_html
from services.evaluation.queries.boards import strategy_board
from services.evaluation.queries.bulletin_report import bulletin_html
from services.evaluation.queries.documents import NOBODY_SAID
from services.evaluation.queries.metrics import definitions, frozen
from services.evaluation.queries.names import Credentials, Names, names_of
from services.evaluation.queries.paper import printed
from services.evaluation.queries.report import Report, campaign_html
from services.evaluation.queries.scorecards import bulletin
from services.evaluation.store.contacts import efforts
from shared import clock
from shared.charts.palette import PRINT, SCREEN
from shared.contracts.evaluation import CampaignResult
from shared.formats import Language
from shared.service import Runtime
from shared.web import CurrentRuntime, Rest, Router, Session, problem_responses

router = Router(tags=["reports"])

Format = Literal["html", "pdf"]
As = Annotated[Format, Query(alias="format", description="One HTML document, or the same as PDF")]
In = Annotated[Language, Query(description="Language of the report")]
IfNoneMatch = Annotated[str | None, Header(description="ETag of the report you have")]

_DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report",
        "content": {
            "text/html": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    304: {"description": "It is the one you have"},
}
_TYPES: dict[Format, str] = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}
# A report is looked at, and may never do anything: whatever a name in it says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@router.get(
    "/reports/campaigns/{campaign_id}",
    response_class=Response,
    responses={**_DOCUMENT, **problem_responses(404, 422, 503)},
)
async def get_campaign_report(
    session: Session,
    principal: ReviewRead,
    store: CurrentStore,
    limits: CurrentLimits,
    rest: Rest,
    runtime: CurrentRuntime,
    credentials: OwnCredentials,
    campaign_id: CampaignId,
    format_: As = "html",
    lang: In = "zh",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The newest result as a document: verdict, funnel, effects, course, breakdown, money, guardrails,
    scripts, advice, method. Of the reader's branches, with what was known when the result was computed.
    """
    registration = await campaigns.registration(session, campaign_id)
    result = visible_result(principal, await results.required(session, campaign_id))
    board = await campaign_board(session, principal, store, campaign_id, result.data_until)
    series = await campaign_series(session, principal, store, limits, campaign_id, result.data_until)
    await rest()
    names = await _names(runtime, credentials, registration, result)
    report = Report(board, result, frozen(registration), series, names)
    html = campaign_html(report, lang, SCREEN if format_ == "html" else PRINT)
    return await _kept(html, format_, f"{registration.key}.{format_}", result.id, if_none_match)


@router.get(
    "/reports/ranking-bulletins/{scorecard_id}",
    response_class=Response,
    responses={**_DOCUMENT, **problem_responses(404, 422, 503)},
)
async def get_bulletin_report(
    session: Session,
    principal: ScorecardRead,
    rest: Rest,
    runtime: CurrentRuntime,
    credentials: OwnCredentials,
    scorecard_id: ScorecardId,
    format_: As = "html",
    lang: In = "zh",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The ranking bulletin as a document: every indicator with rank intervals, of the
    reader's organisation.
    """
    found = await bulletin(session, principal, scorecard_id)
    await rest()
    names = await names_of(
        runtime,
        credentials,
        branches={found.org, *(card.subject for card in found.subjects if card.staff is None)},
        managers=[card.subject for card in found.subjects if card.staff],
    )
    html = await asyncio.to_thread(bulletin_html, found, names, lang, SCREEN if format_ == "html" else PRINT)
    key = f"bulletin-{found.level}-{found.period}"
    return await _kept(html, format_, f"{key}.{format_}", found.id, if_none_match)


@router.get(
    "/reports/strategy",
    response_class=Response,
    responses={200: _DOCUMENT[200], **problem_responses(422, 503)},
)
async def get_board_report(
    session: Session,
    principal: ReviewRead,
    store: CurrentStore,
    rest: Rest,
    format_: As = "html",
    lang: In = "zh",
) -> Response:
    """The strategy board as a document, as of now: every campaign of the reader's organisation, with verdict,
    incremental total and interval on one scale.
    """
    at = clock.now()
    effort = await store.read(lambda cursor: efforts(cursor, principal.scope, at))
    board = await strategy_board(session, effort, at)
    metrics = await definitions(session, [each.primary_metric for each in board.campaigns])
    await rest()
    html = board_html(board, metrics, lang, SCREEN if format_ == "html" else PRINT)
    return await _answer(html, format_, f"strategy-{at:%Y%m%d}.{format_}", {"Cache-Control": "no-store"})


async def _names(
    runtime: Runtime, credentials: Credentials, registration: Registration, result: CampaignResult
) -> Names:
    """Of everything that the report names by a code."""
    told: dict[str, set[str]] = defaultdict(set)
    for row in result.breakdown:
        for dimension, value in row.values.items():
            told[dimension].add(value)
    for values in told.values():
        values.discard(NOBODY_SAID)
    return await names_of(
        runtime,
        credentials,
        branches=told["branch"] | set(registration.orgs),
        managers=told["manager"],
        segments=told["segment"] | set(registration.segments),
    )


async def _kept(html: str, format_: Format, name: str, of: UUID, if_none_match: str | None) -> Response:
    """Not sent again to who has it. `of`: what the document is about."""
    etag = f'"{of}-{hashlib.sha256(html.encode()).hexdigest()[:16]}-{format_}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if if_none_match == etag:
        return Response(status_code=304, headers=headers)
    return await _answer(html, format_, name, headers)


async def _answer(html: str, format_: Format, name: str, headers: dict[str, str]) -> Response:
    content = html.encode() if format_ == "html" else await printed(html)
    safe = {"Content-Disposition": f'inline; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    if format_ == "html":
        safe["Content-Security-Policy"] = _POLICY
    return Response(content, media_type=_TYPES[format_], headers={**headers, **safe})

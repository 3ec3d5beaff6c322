"""Channels, their tests, and the receipts of their providers."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.api.access import BankPlanner, ChannelReader
from services.campaign.channels.details import fit_to_keep
from services.campaign.channels.secrets import signing_keys
from services.campaign.models import Channel
from services.campaign.queries import channels as queries
from services.campaign.usecases import channels as usecases
from services.campaign.usecases.message_outcomes import take_receipts
from shared.contracts.base import Key, Page
from shared.contracts.campaign.channels import (
    ChannelKind,
    ChannelPatch,
    ChannelState,
    ChannelTestView,
    ChannelTestWrite,
    ChannelView,
    ChannelWrite,
    Receipt,
    ReceiptCounts,
    ReceiptsWrite,
)
from shared.db import EVERYWHERE
from shared.errors import Unauthorized, Unavailable
from shared.pagination import PageParams
from shared.web import CurrentRuntime, IfMatch, Rest, Router, Session, problem_responses, set_etag
from shared.webhooks.secrets import SecretLostError
from shared.webhooks.signing import is_signed

router = Router(tags=["channels"])


@router.post("/channels", status_code=201, summary="Set up a channel", responses=problem_responses(409))
async def create_channel(
    session: Session,
    principal: BankPlanner,
    runtime: CurrentRuntime,
    response: Response,
    body: ChannelWrite,
) -> ChannelView:
    """Head office says how messages reach customers, how many, and what each costs. It begins disabled."""
    view = await usecases.create_channel(session, runtime, principal, body)
    set_etag(response, view.version)
    return view


@router.get("/channels", summary="List channels", responses=problem_responses(400))
async def list_channels(
    session: Session,
    principal: ChannelReader,
    page: PageParams,
    kind: Annotated[ChannelKind | None, Query(description="Only these")] = None,
    state: Annotated[ChannelState | None, Query(description="Only these")] = None,
) -> Page[ChannelView]:
    """In the order of their keys; secrets are never shown."""
    return await queries.list_channels(session, page, kind, state)


@router.get("/channels/{key}", summary="Read a channel", responses=problem_responses(404))
async def get_channel(
    session: Session, principal: ChannelReader, response: Response, key: Key
) -> ChannelView:
    """One channel; secrets are never shown."""
    view = queries.channel_view(await queries.find_channel(session, key))
    set_etag(response, view.version)
    return view


@router.patch("/channels/{key}", summary="Change a channel", responses=problem_responses(404, 412, 428))
async def change_channel(
    session: Session,
    principal: BankPlanner,
    runtime: CurrentRuntime,
    response: Response,
    key: Key,
    version: IfMatch,
    body: ChannelPatch,
) -> ChannelView:
    """From the next batch on. Of a new secret the one before holds beside it for 24 hours."""
    view = await usecases.change_channel(session, runtime, principal, key, version, body)
    set_etag(response, view.version)
    return view


@router.post("/channels/{key}:enable", summary="Enable a channel", responses=problem_responses(404, 409))
async def enable_channel(
    session: Session, principal: BankPlanner, response: Response, key: Key
) -> ChannelView:
    """Messages go out by it from now on."""
    view = await usecases.switch_channel(session, principal, key, on=True)
    set_etag(response, view.version)
    return view


@router.post("/channels/{key}:disable", summary="Disable a channel", responses=problem_responses(404, 409))
async def disable_channel(
    session: Session, principal: BankPlanner, response: Response, key: Key
) -> ChannelView:
    """No further message goes out by it; receipts are still taken."""
    view = await usecases.switch_channel(session, principal, key, on=False)
    set_etag(response, view.version)
    return view


@router.post("/channels/{key}:test", summary="Try a channel", responses=problem_responses(404, 409))
async def test_channel(
    session: Session,
    principal: BankPlanner,
    runtime: CurrentRuntime,
    rest: Rest,
    key: Key,
    body: ChannelTestWrite,
) -> ChannelTestView:
    """Send one message to an address of your own, also while it is disabled, and see what came of it."""
    return await usecases.try_channel(session, rest, runtime, principal, key, body)


@router.get("/channels/{key}/tests", summary="List a channel's tests", responses=problem_responses(400, 404))
async def list_channel_tests(
    session: Session, principal: ChannelReader, page: PageParams, key: Key
) -> Page[ChannelTestView]:
    """Newest first."""
    return await queries.list_tests(session, key, page)


@dataclass(frozen=True)
class Provider:
    """Whoever knows the channel's secret."""

    session: AsyncSession
    channel: Channel


async def signed_by_channel(
    request: Request,
    runtime: CurrentRuntime,
    key: Key,
    webhook_id: Annotated[str, Header(max_length=200, description="Any name of this request")] = "",
    webhook_timestamp: Annotated[
        str, Header(max_length=20, description="Unix seconds, at most five minutes from now")
    ] = "",
    webhook_signature: Annotated[
        str,
        Header(
            max_length=1_000, description="`v1,` and the HMAC-SHA256 in base64, as Standard Webhooks says"
        ),
    ] = "",
) -> Provider:
    """A channel that is not there or has no secret answers like a wrong signature."""
    session: AsyncSession = await request.state.unit.session(EVERYWHERE, f"channel:{key}")
    channel = await session.get(Channel, key)
    try:
        keys = signing_keys(channel, runtime) if channel is not None else []
    except SecretLostError as error:
        raise Unavailable("The channel's secret cannot be opened with this installation's key.") from error
    body = await request.body()
    if channel is None or not is_signed(keys, webhook_id, webhook_timestamp, webhook_signature, body):
        raise Unauthorized("The request is not signed by this channel's secret, or was signed too long ago.")
    return Provider(session, channel)


@router.post("/channels/{key}/receipts", summary="Take receipts", responses=problem_responses(401))
async def take_channel_receipts(
    provider: Annotated[Provider, Depends(signed_by_channel)], body: ReceiptsWrite
) -> ReceiptCounts:
    """The provider tells what became of messages, signed by the channel's secret instead of a token.

    Sign `webhook-id.webhook-timestamp.body` as Standard Webhooks says. A repetition changes nothing.
    """
    receipts = [_fit(receipt) for receipt in body.receipts]
    return await take_receipts(provider.session, provider.channel.key, receipts)


def _fit(receipt: Receipt) -> Receipt:
    if receipt.detail is None:
        return receipt
    return receipt.model_copy(update={"detail": fit_to_keep(receipt.detail)})

"""Channels set up, changed, tried, and taken into and out of use."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.channels import OutboundMessage, connector_for
from services.campaign.channels.connector import TEST_CAMPAIGN
from services.campaign.channels.secrets import seal
from services.campaign.channels.smtp import check_mail_host
from services.campaign.models import Channel, ChannelTest
from services.campaign.queries.channels import budgets_on, channel_view, find_channel, test_view
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.channels import (
    ChannelPatch,
    ChannelTestView,
    ChannelTestWrite,
    ChannelView,
    ChannelWrite,
    ConnectorWrite,
    SmtpConnectorWrite,
    WebhookConnector,
    secret_key,
)
from shared.errors import Conflict, FieldError, Unprocessable
from shared.ids import new_id
from shared.service import Runtime
from shared.web import check_version
from shared.webhooks.destinations import Destinations, RefusedDestinationError
from shared.webhooks.secrets import secret_box

PREVIOUS_SECRET_HOURS = 24
_LOGIN = ("host", "port", "security", "username")


async def create_channel(
    session: AsyncSession, runtime: Runtime, principal: Principal, body: ChannelWrite
) -> ChannelView:
    """It begins disabled."""
    errors = _faults(runtime, body.kind, body.connector)
    if isinstance(body.connector, WebhookConnector) and body.secret is None:
        errors.append(FieldError("/secret", "is needed: it signs the requests"))
    if _lacks_password(body.connector):
        errors.append(FieldError("/connector/password", "is needed with a username"))
    _refuse(errors)
    values = {
        **body.model_dump(exclude={"connector", "secret"}),
        "connector": _stored(body.connector),
        "secret": _sealed_secret(runtime, body.key, body.secret),
        "password": _sealed_password(runtime, body.key, body.connector),
        "created_at": clock.now(),
        "created_by": principal.id,
    }
    made = await session.scalar(insert(Channel).values(values).on_conflict_do_nothing().returning(Channel))
    if made is None:
        raise Conflict(f"there is a channel {body.key}: change it", slug="already-exists")
    audit(session, principal, "create_channel", _name(made), {"connector": body.connector.type})
    return channel_view(made)


async def change_channel(
    session: AsyncSession, runtime: Runtime, principal: Principal, key: str, version: int, body: ChannelPatch
) -> ChannelView:
    """Takes effect with the next batch. The currency stays while budgets of campaigns count in it."""
    channel = await find_channel(session, key, lock=True)
    check_version(channel.version, version)
    if body.currency not in {None, channel.currency} and (paying := await budgets_on(session, key)):
        detail = f"stays {channel.currency}: budgets of {', '.join(paying)} count in it"
        raise Unprocessable("The channel cannot be changed so.", errors=[FieldError("/currency", detail)])
    changes = body.model_dump(exclude_none=True, exclude={"connector", "secret"})
    if body.connector is not None:
        _connect(runtime, channel, body.connector, has_secret=bool(channel.secret or body.secret))
    if body.secret is not None:
        channel.previous_secret, channel.secret = channel.secret, _sealed_secret(runtime, key, body.secret)
        channel.previous_secret_until = (
            func.clock_timestamp() + func.make_interval(0, 0, 0, 0, PREVIOUS_SECRET_HOURS)
            if channel.previous_secret is not None
            else None
        )
    for name, value in changes.items():
        setattr(channel, name, value)
    channel.version += 1
    await session.flush()
    await session.refresh(channel)
    fields = sorted(body.model_dump(exclude_none=True))
    audit(session, principal, "change_channel", _name(channel), {"fields": fields})
    return channel_view(channel)


async def switch_channel(session: AsyncSession, principal: Principal, key: str, *, on: bool) -> ChannelView:
    channel = await find_channel(session, key, lock=True)
    if (channel.state == "enabled") == on:
        raise Conflict(f"{key} is {channel.state} already")
    channel.state = "enabled" if on else "disabled"
    channel.version += 1
    await session.flush()
    audit(session, principal, "enable_channel" if on else "disable_channel", _name(channel))
    return channel_view(channel)


async def try_channel(
    session: AsyncSession,
    rest: Callable[[], Awaitable[None]],
    runtime: Runtime,
    principal: Principal,
    key: str,
    body: ChannelTestWrite,
) -> ChannelTestView:
    """Sends one message, whatever the channel's state; the provider is waited for outside a transaction."""
    channel = await find_channel(session, key)
    connector = connector_for(channel, runtime)
    message = OutboundMessage(
        id=new_id(),
        campaign_id=TEST_CAMPAIGN,
        channel=key,
        kind=channel.kind,
        recipient=body.recipient,
        subject=body.subject,
        body=body.body,
        language=body.language,
    )
    await rest()
    (submission,) = await connector.submit([message])
    test = ChannelTest(
        id=message.id,
        channel=key,
        at=clock.now(),
        by=principal.id,
        outcome=submission.outcome,
        reference=submission.reference,
        detail=submission.detail,
    )
    session.add(test)
    await session.flush()
    detail = {"test": str(test.id), "outcome": test.outcome}
    audit(session, principal, "test_channel", _name(channel), detail)
    return test_view(test)


def _connect(runtime: Runtime, channel: Channel, connector: ConnectorWrite, *, has_secret: bool) -> None:
    """A password goes to the server it was given for, and to no other."""
    errors = _faults(runtime, channel.kind, connector)
    if isinstance(connector, WebhookConnector) and not has_secret:
        errors.append(FieldError("/secret", "is needed: it signs the requests"))
    stored = _stored(connector)
    same_login = all(channel.connector.get(name) == stored.get(name) for name in _LOGIN)
    keeps = _lacks_password(connector) and channel.password is not None and same_login
    if _lacks_password(connector) and not keeps:
        detail = "is needed: another host, port, security or username"
        errors.append(FieldError("/connector/password", detail))
    _refuse(errors)
    channel.connector = stored
    if not keeps:
        channel.password = _sealed_password(runtime, channel.key, connector)


def _faults(runtime: Runtime, kind: str, connector: ConnectorWrite) -> list[FieldError]:
    destinations = Destinations.of(runtime.settings)
    errors = []
    try:
        if isinstance(connector, WebhookConnector):
            destinations.check_url(connector.url)
        if isinstance(connector, SmtpConnectorWrite):
            check_mail_host(connector, destinations)
    except RefusedDestinationError as error:
        field = "url" if isinstance(connector, WebhookConnector) else "host"
        errors.append(FieldError(f"/connector/{field}", str(error)))
    if isinstance(connector, SmtpConnectorWrite) and kind != "email":
        errors.append(FieldError("/connector/type", "carries mail only"))
    return errors


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise Unprocessable("The channel cannot be set up like this.", errors=errors)


def _lacks_password(connector: ConnectorWrite) -> bool:
    if not isinstance(connector, SmtpConnectorWrite):
        return False
    return connector.username is not None and connector.password is None


def _stored(connector: ConnectorWrite) -> dict[str, Any]:
    return connector.model_dump(mode="json", exclude={"password"})


def _sealed_secret(runtime: Runtime, key: str, secret: SecretStr | None) -> bytes | None:
    if secret is None:
        return None
    return seal(secret_box(runtime), key, "secret", secret_key(secret.get_secret_value()))


def _sealed_password(runtime: Runtime, key: str, connector: ConnectorWrite) -> bytes | None:
    if not isinstance(connector, SmtpConnectorWrite) or connector.password is None:
        return None
    return seal(secret_box(runtime), key, "password", connector.password.get_secret_value().encode())


def _name(channel: Channel) -> str:
    return f"channel/{channel.key}"

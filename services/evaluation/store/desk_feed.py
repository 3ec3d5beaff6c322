"""What people at their desks made of contacts: referrals, opportunities, feedback."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

import duckdb
import pyarrow as pa

from services.evaluation.domain.credit import credited
from services.evaluation.store.batches import MOMENT, OWNED, Row, of_kind, put, utc
from services.evaluation.store.own_feed import OwnFeed
from shared import clock
from shared.bus import Delivery
from shared.contracts.events import FeedbackGiven, OpportunityMoved, ReferralAnswered, ReferralMade

_AMOUNT = pa.decimal128(20, 2)
_TOLD = [("home", pa.uuid()), ("version", pa.int32()), ("told_at", MOMENT), ("day", pa.date32())]
_REFERRAL = pa.schema(
    [
        ("referral_id", pa.uuid()),
        *_TOLD,
        ("state", pa.string()),
        ("contact_id", pa.uuid()),
        ("linked", pa.bool_()),
        *((name, pa.string()) for name in ("from_org", "to_org", "currency")),
        *((name, _AMOUNT) for name in ("amount", "referrer", "receiver")),
    ]
)
_OPPORTUNITY = pa.schema(
    [
        ("opportunity_id", pa.uuid()),
        *_TOLD,
        ("contact_id", pa.uuid()),
        ("referral_id", pa.uuid()),
        *((name, pa.string()) for name in ("from_stage", "to_stage", "org", "currency", "lost_reason")),
        ("won_amount", _AMOUNT),
    ]
)
_FEEDBACK = pa.schema(
    [
        ("feedback_id", pa.uuid()),
        ("campaign_id", pa.uuid()),
        *((name, pa.string()) for name in ("kind", "subject", "branch")),
        ("rating", pa.int32()),
        ("given_at", MOMENT),
    ]
)


def _insert(table: str) -> str:
    return f"""
        INSERT INTO {table} BY NAME
        SELECT * FROM ({OWNED}) AS new
        WHERE NOT EXISTS (
            FROM {table} AS old WHERE old.{table}_id = new.{table}_id AND old.version = new.version
        )
        QUALIFY row_number() OVER (PARTITION BY {table}_id, version) = 1
    """  # noqa: S608 - our own names


_INSERT_FEEDBACK = "INSERT OR IGNORE INTO feedback BY NAME SELECT * FROM batch"


class DeskFeed(OwnFeed):
    NAME = "desks"
    KINDS = (ReferralMade, ReferralAnswered, OpportunityMoved, FeedbackGiven)

    @staticmethod
    def take(cursor: duckdb.DuckDBPyConnection, fresh: Sequence[Delivery]) -> None:
        put(cursor, _insert("referral"), _REFERRAL, _referrals(fresh))
        put(cursor, _insert("opportunity"), _OPPORTUNITY, _opportunities(fresh))
        put(cursor, _INSERT_FEEDBACK, _FEEDBACK, _feedback(fresh))


def _referrals(deliveries: Sequence[Delivery]) -> Iterator[Row]:
    for made in of_kind(deliveries, ReferralMade):
        yield {
            **_referral(made),
            "state": "made",
            "contact_id": made.contact_id.bytes if made.contact_id else None,
            "linked": made.linked,
            **_when(made.made_at),
        }
    for answered in of_kind(deliveries, ReferralAnswered):
        yield {
            **_referral(answered),
            "state": answered.state,
            **_won(answered),
            **_when(answered.answered_at),
        }


def _referral(told: ReferralMade | ReferralAnswered) -> Row:
    return {
        "referral_id": told.referral_id.bytes,
        "home": told.customer_id.bytes,
        "version": told.version,
        "from_org": told.from_org,
        "to_org": told.to_org,
    }


def _won(answered: ReferralAnswered) -> Row:
    if answered.amount is None:
        return {}
    referrer, receiver = credited(answered.amount, answered.referrer_share)
    return {
        "currency": answered.currency,
        "amount": answered.amount,
        "referrer": referrer,
        "receiver": receiver,
    }


def _opportunities(deliveries: Sequence[Delivery]) -> Iterator[Row]:
    for moved in of_kind(deliveries, OpportunityMoved):
        yield {
            "opportunity_id": moved.opportunity_id.bytes,
            "home": moved.customer_id.bytes,
            "version": moved.version,
            "from_stage": moved.from_stage,
            "to_stage": moved.to_stage,
            "org": moved.org,
            "contact_id": moved.contact_id.bytes if moved.contact_id else None,
            "referral_id": moved.referral_id.bytes if moved.referral_id else None,
            "currency": moved.currency,
            "won_amount": moved.won_amount,
            "lost_reason": moved.lost_reason,
            **_when(moved.moved_at),
        }


def _feedback(deliveries: Sequence[Delivery]) -> Iterator[Row]:
    for given in of_kind(deliveries, FeedbackGiven):
        yield {
            "feedback_id": given.feedback_id.bytes,
            "campaign_id": given.campaign_id.bytes,
            "kind": given.kind,
            "subject": given.script or given.offer,
            "rating": given.rating,
            "branch": given.branch,
            "given_at": utc(given.given_at),
        }


def _when(at: datetime) -> dict[str, datetime | date]:
    return {"told_at": utc(at), "day": at.astimezone(clock.ZONE).date()}

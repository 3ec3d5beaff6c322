"""Streams, durables and feeds of the whole system. Declared here and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from shared.contracts.events import (
    EVENTS,
    CampaignApproved,
    CampaignCompleted,
    CampaignErasureConfirmed,
    CampaignEvaluated,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    ContactRecorded,
    CustomerErased,
    CustomersChanged,
    CustomersContacted,
    CustomersMerged,
    CustomersUnmerged,
    EvaluationErasureConfirmed,
    EventData,
    HandoverCompleted,
    OwnershipChanged,
    RecommendationIssued,
    SegmentationErasureConfirmed,
    SegmentPublished,
    SegmentUpdated,
    ValuesCalculated,
)
from shared.settings import SERVICES

STREAMS = {
    "CUSTOMER": "customer.>",
    "SEGMENTATION": "segmentation.>",
    "CAMPAIGN": "campaign.>",
    "EVALUATION": "evaluation.>",
    "DLQ": "dlq.>",
    "INTAKE": "intake.>",
}

DUPLICATE_WINDOW_SECONDS = 600
# Partners choose their message ids without knowing of each other: one's must not hide the other's message.
# This is the shortest the server takes; partners are told to leave the header out.
INTAKE_DUPLICATE_WINDOW_SECONDS = 0.1
RETENTION_SECONDS = 30 * 86_400
ACK_WAIT_SECONDS = 30
MAX_ATTEMPTS = 8


@dataclass(frozen=True)
class Durable:
    """A named position in a stream, shared by the replicas of one consumer."""

    name: str
    stream: str
    events: Sequence[type[EventData]]
    """None: whatever is on the stream."""


def events_of(service: str) -> tuple[type[EventData], ...]:
    """What `service` publishes."""
    return tuple(event for event in EVENTS.values() if event.service() == service)


def webhooks_of(service: str) -> str:
    """The durable that hands a service's own events to its webhooks."""
    return f"{service}__webhooks"


DURABLES = {
    durable.name: durable
    for durable in (
        Durable("campaign__customers", "CUSTOMER", (CustomersChanged,)),
        Durable(
            "campaign__customer_file",
            "CUSTOMER",
            (CustomersMerged, CustomersUnmerged, CustomerErased, OwnershipChanged, HandoverCompleted),
        ),
        Durable("campaign__values", "CUSTOMER", (ValuesCalculated,)),
        Durable("campaign__interactions", "CUSTOMER", (CustomersContacted,)),
        Durable("campaign__segments", "SEGMENTATION", (SegmentPublished, SegmentUpdated)),
        Durable("campaign__reviews", "EVALUATION", (CampaignEvaluated, RecommendationIssued)),
        Durable("customer__contacts", "CAMPAIGN", (ContactRecorded,)),
        Durable("customer__erased_in_segmentation", "SEGMENTATION", (SegmentationErasureConfirmed,)),
        Durable("customer__erased_in_campaign", "CAMPAIGN", (CampaignErasureConfirmed,)),
        Durable("customer__erased_in_evaluation", "EVALUATION", (EvaluationErasureConfirmed,)),
        Durable("customer__intake", "INTAKE", ()),
        Durable("segmentation__erasures", "CUSTOMER", (CustomerErased,)),
        Durable("segmentation__warnings", "CUSTOMER", (OwnershipChanged, CustomersMerged, CustomersUnmerged)),
        Durable("evaluation__erasures", "CUSTOMER", (CustomerErased,)),
        Durable(
            "evaluation__campaigns",
            "CAMPAIGN",
            (CampaignApproved, CampaignLaunched, CampaignPaused, CampaignResumed, CampaignCompleted),
        ),
        *(Durable(webhooks_of(service), service.upper(), events_of(service)) for service in SERVICES),
    )
}


def intake_subject(source: str) -> str:
    """Where the partner of this source pushes its events."""
    return f"intake.{source}"


def source_of(subject: str) -> str:
    """The opposite of `intake_subject`."""
    return subject.removeprefix("intake.")


def inbox_of(source: str) -> str:
    """Prefix of the only subjects that partner may listen to. Dots would open one's inbox to another's."""
    return f"_INBOX.{source.replace('.', '/')}"


def stream_of(event: type[EventData]) -> str:
    return event.service().upper()


async def ensure_streams(js: JetStreamContext, *, replicas: int, max_bytes: int) -> None:
    """Create what is missing. What exists keeps its limits: they are the operator's to change.

    A full stream refuses (the outbox keeps its rows) rather than forgetting its oldest messages.
    """
    for name, subject in STREAMS.items():
        try:
            await _take_batches(js, (await js.stream_info(name)).config)
        except NotFoundError:
            config = StreamConfig(
                name=name,
                subjects=[subject],
                retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                max_age=RETENTION_SECONDS,
                max_bytes=max_bytes,
                num_replicas=replicas,
                duplicate_window=DUPLICATE_WINDOW_SECONDS,
                allow_direct=True,
                allow_atomic=True,
            )
            await js.add_stream(_until_taken(config) if name == "INTAKE" else config)


async def _take_batches(js: JetStreamContext, config: StreamConfig) -> None:
    """A stream of an earlier release learns to store a batch as one; see shared/together.py."""
    if not config.allow_atomic:
        await js.update_stream(replace(config, allow_atomic=True))


def _until_taken(config: StreamConfig) -> StreamConfig:
    """Personal data waits here: it is gone once the customer service has it, and never before."""
    return replace(
        config,
        retention=RetentionPolicy.WORK_QUEUE,
        max_age=0,
        duplicate_window=INTAKE_DUPLICATE_WINDOW_SECONDS,
    )


async def ensure_durable(js: JetStreamContext, durable: Durable, *, since: datetime | None = None) -> None:
    """Create the durable if missing, at the beginning of its stream or at `since`.

    One that filters for other events than declared is told, and keeps its position: of an event it is newly
    told about, it gets those published from then on.

    JetStream delivers without end; the consumer counts the attempts itself. So a message that
    kills its worker every time still reaches the dead-letter queue.
    """
    subjects = [f"{event.SUBJECT}.>" for event in durable.events] or [STREAMS[durable.stream]]
    try:
        config = (await js.consumer_info(durable.stream, durable.name)).config
        if set(config.filter_subjects or [config.filter_subject]) != set(subjects):
            update = replace(config, filter_subject=None, filter_subjects=subjects)
            await js.add_consumer(durable.stream, update)
    except NotFoundError:
        await js.add_consumer(
            durable.stream,
            ConsumerConfig(
                durable_name=durable.name,
                deliver_policy=DeliverPolicy.BY_START_TIME if since else DeliverPolicy.ALL,
                opt_start_time=since,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_SECONDS,
                max_deliver=-1,
                max_ack_pending=256,
                filter_subjects=subjects,
            ),
        )

"""What every event has, and the words several of them share."""

from typing import ClassVar, Literal

from shared.contracts.base import Schema

BATCH_ITEMS = 500


class EventData(Schema):
    """The `data` of one CloudEvent."""

    SUBJECT: ClassVar[str]
    VERSION: ClassVar[int] = 1

    @classmethod
    def type_name(cls) -> str:
        return f"huanying.{cls.SUBJECT}.v{cls.VERSION}"

    @classmethod
    def service(cls) -> str:
        return cls.SUBJECT.split(".", 1)[0]

    def partition_key(self) -> str:
        """What order is kept for: the last token of the NATS subject."""
        raise NotImplementedError


Channel = Literal["call", "sms", "email", "visit", "app"]
Disposition = Literal[
    "interested",
    "accepted",
    "refused",
    "no_answer",
    "wrong_number",
    "call_back",
    "do_not_contact",
    "complaint",
    "referred",
]
MessageOutcome = Literal["sent", "delivered", "undelivered", "unknown"]
"""What came of a message: taken by the provider, at the customer, certainly not there, or nobody can say."""
ContactOutcome = Literal[Disposition, MessageOutcome]
ContactState = Literal[
    "planned", "assigned", "started", "call_back", "done", "expired", "returned", "held_out", "suppressed"
]

"""How often, how soon again and at what hours customers may be contacted."""

from datetime import date, time
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from shared.contracts.base import Key, LocalText, Schema, Timestamp


def _whole_minute(value: time) -> time:
    if value.second or value.microsecond or value.tzinfo is not None:
        message = "is a time of the bank's zone, in hours and minutes"
        raise ValueError(message)
    return value


Minute = Annotated[time, AfterValidator(_whole_minute), Field(examples=["21:00"])]


class ContactCap(Schema):
    """Over all campaigns, managers and files of a person."""

    contacts: Annotated[int, Field(ge=1, le=1000)]
    days: Annotated[int, Field(ge=1, le=366)]


class QuietHours(Schema):
    """No contact begins from `start` until `end`, over midnight when `end` is the earlier."""

    start: Minute
    end: Minute

    @model_validator(mode="after")
    def _differ(self) -> "QuietHours":
        if self.start == self.end:
            message = "start and end must differ"
            raise ValueError(message)
        return self


class ContactPolicyWrite(Schema):
    """`POST /v1/contact-policies`: each post of a key makes its next version; a version never changes.

    The newest version holds for every campaign that names the key, from now on and also for contacts that are
    planned already.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "considerate",
                    "name": {"zh": "审慎", "en": "Considerate"},
                    "cap": {"contacts": 2, "days": 30},
                    "cool_down_days": 60,
                    "quiet_hours": {"start": "20:30", "end": "09:00"},
                    "rest_on_weekends": True,
                    "rest_days": ["2027-02-06"],
                }
            ]
        }
    )
    key: Key
    name: LocalText
    cap: ContactCap
    cool_down_days: Annotated[int, Field(ge=0, le=3650)] = Field(
        0, description="Nobody is contacted again for so long after having refused an offer"
    )
    quiet_hours: QuietHours | None = None
    rest_on_weekends: bool = False
    rest_days: Annotated[list[date], Field(max_length=400)] = Field(
        default_factory=list, description="Public holidays: no contact begins"
    )


class ContactPolicyView(ContactPolicyWrite):
    version: int
    created_at: Timestamp
    created_by: str

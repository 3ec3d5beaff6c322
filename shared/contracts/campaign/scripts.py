"""Scripts 话术: what a manager says, step by step, with a branch for every answer."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.contracts.base import Code, Key, LocalText, Money, Number, Schema, Timestamp
from shared.contracts.campaign.compliance import ComplianceHit, WordingChannel
from shared.contracts.campaign.vocabulary import LocalLongText, ScriptRef
from shared.contracts.events import ContactOutcome, Disposition

WordingState = Literal["in_review", "approved", "rejected", "retired"]


class ScriptAnswer(Schema):
    """What the customer may answer, and where that leads: to a step, or to the end of the contact."""

    key: Key
    label: LocalText
    next: Key | None = Field(None, description="Key of the step that follows")
    end: Disposition | None = Field(None, description="The contact ends so")

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if (self.next is None) == (self.end is None):
            message = "an answer leads to a step (next) or to an end (end), one of them"
            raise ValueError(message)
        return self


class ScriptStep(Schema):
    key: Key
    text: LocalLongText = Field(
        description="May name values, `{{ customer.salutation | default('您') }}`, and choose between texts, "
        "`{% if offer.minimum is defined %}…{% endif %}`; `GET /v1/wording-variables` lists the values"
    )
    answers: Annotated[list[ScriptAnswer], Field(max_length=8)] = Field(
        default_factory=list,
        exclude_if=lambda answers: not answers,
        description="Without answers the next step of the list follows; after the last the script ends",
    )

    @model_validator(mode="after")
    def _answer_keys_differ(self) -> Self:
        if len({answer.key for answer in self.answers}) < len(self.answers):
            message = "answer keys must differ"
            raise ValueError(message)
        return self


class ScriptWrite(Schema):
    """`POST /v1/scripts`: each post of a key makes its next version; a version never changes."""

    key: Key
    name: LocalText
    steps: Annotated[list[ScriptStep], Field(min_length=1, max_length=50)]
    minutes: Annotated[float, Field(gt=0, le=480, description="Expected length of one contact")] = 6.0
    products: Annotated[list[Code], Field(max_length=50)] = Field(
        default_factory=list, description="What it is meant to offer; empty: anything"
    )

    @model_validator(mode="after")
    def _step_keys_differ(self) -> Self:
        if len({step.key for step in self.steps}) < len(self.steps):
            message = "step keys must differ"
            raise ValueError(message)
        return self


class Decided(Schema):
    """How far a version has come. Whoever wrote it does not decide on it."""

    state: WordingState
    decided_at: Timestamp | None = None
    decided_by: str | None = None
    comment: str | None = Field(None, description="Of whoever decided or retired")
    retired_at: Timestamp | None = None
    retired_by: str | None = None


class ScriptView(ScriptWrite, Decided):
    version: int
    ref: ScriptRef
    personalised: bool = Field(
        description="False: written before texts could name values, and shown as it stands"
    )
    created_at: Timestamp
    created_by: str


class LocalRendered(Schema):
    """A text with its values put in."""

    zh: str
    en: str


class RenderedStep(Schema):
    key: Key
    text: LocalRendered
    answers: list[ScriptAnswer]
    next: Key | None = Field(description="What follows without an answer; null: the script ends or branches")


class RenderedMaterial(Schema):
    """A material of the contact: text and HTML with their values, a file by its address."""

    ref: str
    name: LocalText
    kind: Literal["text", "html", "file"]
    channel: WordingChannel
    body: LocalRendered | None = None
    uri: str | None = None


class TaskScript(Schema):
    """What to say and show in one contact. The values stand here and nowhere else."""

    ref: ScriptRef
    key: Key
    version: int
    name: LocalText
    minutes: float
    steps: list[RenderedStep]
    materials: list[RenderedMaterial]


class PathStep(Schema):
    """A step that was said, and the answer to it; null where the step asks for none or it broke off."""

    step: Key
    answer: Key | None = None


class ScriptPreview(Schema):
    """The script with sample values, and what the compliance lists in force say of it."""

    steps: list[RenderedStep]
    variables: list[str] = Field(description="The values it names")
    hits: list[ComplianceHit]


class WordingVariable(Schema):
    name: str = Field(examples=["customer.salutation"])
    kind: Literal["text", "amount", "rate", "date", "count"]
    filter: str | None = Field(description="The filter it must be written with", examples=["money"])
    sample: LocalRendered = Field(description="As previews show it")


class WordingVariables(Schema):
    items: list[WordingVariable]


class ScriptEffect(Schema):
    """What came of the contacts that used one version, in the caller's organisation.

    A record, not a comparison: versions met different customers. What a script causes, the evaluation
    service says, where customers were assigned by chance.
    """

    ref: ScriptRef
    campaigns: int
    contacts: int = Field(description="Assigned so far: open + done + expired")
    open: int
    done: int
    expired: int
    attempts: int
    minutes: Number
    dispositions: dict[ContactOutcome, int] = Field(description="The last disposition of each contact")
    conversions: int = Field(description="Contacts that were done with `accepted`")
    outcome_amount: Money = Field(description="Of the conversions, as managers recorded it")


class ScriptEffects(Schema):
    items: list[ScriptEffect] = Field(description="By version, the newest first")

"""Scripts and materials: their texts, what is wrong with them, and how they read with values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.campaign.domain import materials, script_graph
from services.campaign.domain.compliance import Text, Wording
from services.campaign.domain.template_grammar import TemplateError
from services.campaign.domain.template_values import LANGUAGES, Language, Value, samples
from services.campaign.domain.templates import RenderError, declare, render
from shared.contracts.campaign.catalogue import OfferView
from shared.contracts.campaign.materials import (
    LocalBody,
    MaterialView,
    MaterialWrite,
    SmsLengths,
)
from shared.contracts.campaign.scripts import (
    LocalRendered,
    RenderedMaterial,
    RenderedStep,
    ScriptStep,
    ScriptView,
    ScriptWrite,
    WordingState,
)
from shared.contracts.campaign.vocabulary import LocalLongText
from shared.errors import Conflict, FieldError, Forbidden, Unprocessable

Values = Mapping[Language, Mapping[str, Value]]
SAMPLES: Values = {language: samples(language) for language in LANGUAGES}


def script_wording(script: ScriptWrite) -> Wording:
    """All that is said or read. Answers are no templates, nor is what was written before there were any."""
    template = not isinstance(script, ScriptView) or script.personalised
    texts = [
        text
        for index, step in enumerate(script.steps)
        for text in _step_texts(index, step, template=template)
    ]
    return Wording(texts, "manager_task", script.products)


def _step_texts(number: int, step: ScriptStep, *, template: bool) -> Iterable[Text]:
    yield from _local(f"/steps/{number}/text", step.text, template=template)
    for index, answer in enumerate(step.answers):
        for language, label in (("zh", answer.label.zh), ("en", answer.label.en)):
            yield Text(f"/steps/{number}/answers/{index}/label/{language}", label, template=False)


def material_wording(material: MaterialWrite) -> Wording:
    """A file is not read, only its name is."""
    texts = [Text(f"/name/{language}", name, template=False) for language, name in _pair(material.name)]
    if material.body is not None:
        texts += _local("/body", material.body, template=True, html=material.kind == "html")
    return Wording(texts, material.channel, material.products)


def _local(
    pointer: str, text: LocalLongText | LocalBody, *, template: bool, html: bool = False
) -> list[Text]:
    return [Text(f"{pointer}/{language}", source, template, html) for language, source in _pair(text)]


def _pair(text: object) -> list[tuple[Language, str]]:
    return [(language, getattr(text, language)) for language in LANGUAGES]


def script_faults(script: ScriptWrite) -> list[FieldError]:
    return [*text_faults(script_wording(script).texts), *script_graph.faults(script.steps)]


def material_faults(material: MaterialWrite) -> list[FieldError]:
    texts = material_wording(material).texts
    faults = text_faults(texts)
    if faults or material.body is None or material.channel != "sms":
        return faults
    lengths = sms_lengths(rendered_body(material, SAMPLES))
    return [
        FieldError(f"/body/{language}", f"takes {length.segments} messages, {materials.MAX_SEGMENTS} at most")
        for language, length in (("zh", lengths.zh), ("en", lengths.en))
        if length.segments > materials.MAX_SEGMENTS
    ]


def text_faults(texts: Iterable[Text]) -> list[FieldError]:
    """One for each text that is not one, with line and position."""
    faults = []
    for text in texts:
        try:
            if text.template:
                declare(text.source, html=text.html)
            if text.html:
                materials.require_harmless(text.source)
        except TemplateError as error:
            faults.append(FieldError(text.pointer, str(error)))
    return faults


def variables_of(wording: Wording) -> list[str]:
    """Of texts that passed `text_faults`."""
    texts = (text for text in wording.texts if text.template)
    return sorted({name for text in texts for name in declare(text.source, html=text.html).variables})


def rendered_steps(script: ScriptWrite, values: Values) -> list[RenderedStep]:
    """Unprocessable names the text and the value that is not known."""
    template = not isinstance(script, ScriptView) or script.personalised
    follows = script_graph.following(script.steps)
    return [
        RenderedStep(
            key=step.key,
            text=_rendered(_local(f"/steps/{index}/text", step.text, template=template), values),
            answers=step.answers,
            next=follows[step.key],
        )
        for index, step in enumerate(script.steps)
    ]


def offer_values(offer: OfferView, language: Language) -> dict[str, Value]:
    """What texts may say of an offer."""
    values: dict[str, Any] = {
        "name": getattr(offer.name, language),
        "product": offer.product,
        "risk": offer.risk,
        "terms": getattr(offer.terms.text, language),
        "rate": offer.terms.rate,
        "minimum": offer.terms.minimum,
        "currency": offer.currency,
        "tenor_days": offer.terms.tenor_days,
        "valid_until": offer.valid_until,
    }
    return {f"offer.{name}": value for name, value in values.items() if value is not None}


def rendered_body(material: MaterialWrite, values: Values) -> LocalRendered | None:
    if material.body is None:
        return None
    return _rendered(_local("/body", material.body, template=True, html=material.kind == "html"), values)


def rendered_material(material: MaterialView, values: Values) -> RenderedMaterial:
    return RenderedMaterial(
        ref=material.ref,
        name=material.name,
        kind=material.kind,
        channel=material.channel,
        body=rendered_body(material, values),
        uri=material.file.uri if material.file else None,
    )


def _rendered(texts: Sequence[Text], values: Values) -> LocalRendered:
    said: dict[str, str] = {}
    for language, text in zip(LANGUAGES, texts, strict=True):
        try:
            said[language] = (
                render(declare(text.source, html=text.html), language, values[language])
                if text.template
                else text.source
            )
        except RenderError as error:
            raise Unprocessable(
                str(error), errors=[FieldError(text.pointer, str(error))], slug="value-not-known"
            ) from None
    return LocalRendered(**said)


def sms_lengths(body: LocalRendered | None) -> SmsLengths:
    if body is None:
        raise ValueError("a file has no length in messages")
    return SmsLengths(zh=materials.sms_length(body.zh), en=materials.sms_length(body.en))


_MOVES: Mapping[str, tuple[WordingState, WordingState]] = {
    "approve": ("in_review", "approved"),
    "reject": ("in_review", "rejected"),
    "retire": ("approved", "retired"),
}


def require_decidable(state: WordingState, verb: str, *, author: str, checker: str) -> WordingState:
    """The state that follows. Nobody decides on what they wrote; whoever wrote may retire it."""
    before, after = _MOVES[verb]
    if state != before:
        raise Conflict(f"a version that is {state} cannot {verb}", slug="illegal-transition")
    if verb != "retire" and author == checker:
        raise Forbidden("whoever wrote a version cannot decide on it", slug="maker-is-checker")
    return after

"""Texts with values: what is refused, where, and that what passes stays within bounds."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from services.campaign.domain.template_grammar import MAX_VARIANTS, TemplateError
from services.campaign.domain.template_values import VARIABLES, Value, samples
from services.campaign.domain.templates import MAX_VALUE, RenderError, declare, render

# Each with the line and the position at which it is refused.
REFUSED: dict[str, tuple[int, int]] = {
    # Reaching for the program behind the text.
    "{{ ''.__class__ }}": (1, 4),
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": (1, 4),
    "{{ customer.__class__ }}": (1, 4),
    "{{ customer.salutation.__class__ }}": (1, 4),
    "{{ customer['__class__'] }}": (1, 4),
    "{{ customer.salutation['__init__'] }}": (1, 23),
    "{{ customer.salutation|attr('__class__') }}": (1, 24),
    "{{ self.__init__.__globals__ }}": (1, 4),
    "{{ self._TemplateReference__context }}": (1, 4),
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}": (1, 4),
    "{{ lipsum.__globals__['os'] }}": (1, 4),
    "{{ joiner() }}": (1, 4),
    "{{ namespace(a=1) }}": (1, 4),
    "{{ config }}": (1, 4),
    "{{ request.application }}": (1, 4),
    "{{ get_flashed_messages.__globals__ }}": (1, 4),
    "{{ url_for.__globals__ }}": (1, 4),
    "{{ [].append(1) }}": (1, 4),
    "{{ {}.update(a=1) }}": (1, 4),
    "{{ ().__class__ }}": (1, 4),
    "{{ (1).__class__ }}": (1, 4),
    "{{ 7*7 }}": (1, 4),
    "{{ customer.salutation * 99999999 }}": (1, 24),
    "{{ offer.tenor_days ** 99999999 }}": (1, 21),
    "{{ customer.salutation ~ customer.salutation }}": (1, 24),
    "{{ customer.salutation % 9 }}": (1, 24),
    "{{ customer.salutation.format(customer) }}": (1, 4),
    "{{ customer.salutation() }}": (1, 23),
    "{{ customer.salutation if true else 1 }}": (1, 24),
    "{{ not customer.salutation }}": (1, 4),
    "{{ customer }}": (1, 4),
    "{{ customer.phone }}": (1, 4),
    "{{ customer.id_number }}": (1, 4),
    "{{ nothing }}": (1, 4),
    "{{ customer.salutation, today }}": (1, 23),
    "{{ true }}": (1, 4),
    "{{ 'Dear' }}": (1, 4),
    # Filters other than the four, or where they do not belong.
    "{{ customer.salutation | safe }}": (1, 26),
    "{{ customer.salutation | map('upper') }}": (1, 26),
    "{{ customer.salutation | replace('a', 'b') }}": (1, 26),
    "{{ customer.salutation | pprint }}": (1, 26),
    "{{ customer.salutation | tojson }}": (1, 26),
    "{{ customer.salutation | center(999999999) }}": (1, 26),
    "{{ customer.salutation | default(today) }}": (1, 34),
    "{{ customer.salutation | default('a', true) }}": (1, 37),
    "{{ customer.salutation | default }}": (1, 26),
    "{{ customer.salutation | default('\\x41') }}": (1, 34),
    "{{ customer.salutation | money }}": (1, 26),
    "{{ offer.rate }}": (1, 4),
    "{{ offer.rate | money }}": (1, 17),
    "{{ today }}": (1, 4),
    "{{ offer.minimum | money | money }}": (1, 28),
    # Loops, definitions, and other programs.
    "{% for x in range(10**9) %}x{% endfor %}": (1, 4),
    "{% while true %}x{% endwhile %}": (1, 4),
    "{% for c in customer.salutation recursive %}{{ loop(c) }}{% endfor %}": (1, 4),
    "{% macro a() %}{{ a() }}{% endmacro %}": (1, 4),
    "{% call a() %}{% endcall %}": (1, 4),
    "{% import 'os' as os %}": (1, 4),
    "{% from 'os' import popen %}": (1, 4),
    "{% include '/etc/passwd' %}": (1, 4),
    "{% extends 'base' %}": (1, 4),
    "{% block a %}{% endblock %}": (1, 4),
    "{% set x = 1 %}": (1, 4),
    "{% with x = 1 %}{% endwith %}": (1, 4),
    "{% filter upper %}a{% endfilter %}": (1, 4),
    "{% autoescape false %}{% endautoescape %}": (1, 4),
    "{% do customer.clear() %}": (1, 4),
    "{% debug %}": (1, 4),
    "{% raw %}{{ x }}{% endraw %}": (1, 1),
    "{# a remark #}": (1, 1),
    "您好\n{%- if today -%}": (2, 1),
    "{{- customer.salutation }}": (1, 1),
    # Choices that are none.
    "{% if %}": (1, 4),
    "{% if customer.salutation %}": (1, 4),
    "{% if customer.salutation %}{% else %}{% else %}{% endif %}": (1, 42),
    "{% else %}": (1, 4),
    "{% endif %}": (1, 4),
    "{% if customer.salutation() %}{% endif %}": (1, 26),
    "{% if customer.salutation == today %}{% endif %}": (1, 30),
    "{% if offer.minimum == 'much' %}{% endif %}": (1, 24),
    "{% if today == 1 %}{% endif %}": (1, 16),
    "{% if customer.salutation is mapping %}{% endif %}": (1, 30),
    "{% if customer.salutation in 'abc' %}{% endif %}": (1, 27),
    "{% if (customer.salutation) %}{% endif %}": (1, 7),
    "{% if not not customer.salutation %}{% endif %}": (1, 11),
    "{% if customer.salutation %}" * 5 + "{% endif %}" * 5: (1, 4 + 4 * 28),
    "{% if customer.salutation %}a{% endif %}" * 6: (1, 1),
    # Broken, and hostile for its size.
    "{{": (1, 1),
    "{%": (1, 1),
    "a\nb {{ customer.salutation": (2, 3),
    "{{ customer.salutation }": (1, 24),
    "{{ customer.salutation | default('": (1, 34),
    "{{ 'a": (1, 4),
    "{{ \\ }}": (1, 4),
    "{{ }}": (1, 1),
    "{% %}": (1, 1),
    "{{ " + "not " * 1000 + "today }}": (1, 1),
    "{{ " + "(" * 2000 + "today }}": (1, 1),
    "{{ today | date }}" * 121: (1, 1 + 120 * 18),
    "a" * 1_000_000: (1, 10_001),
    "{{ customer.salutation }}" * 40_000: (1, 10_001),
    "a\x00b": (1, 2),
    "a\rb": (1, 2),
}


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:40])
def test_hostile_texts_are_refused_where_they_are(source: str) -> None:
    with pytest.raises(TemplateError) as refused:
        declare(source)
    line, position = REFUSED[source]
    assert (refused.value.line, refused.value.position) == (line, position), refused.value
    assert str(refused.value).startswith(f"line {line}, position {position}: ")


def test_the_corpus_is_counted(record_property: Callable[[str, object], None]) -> None:
    record_property("hostile templates refused", len(REFUSED))
    assert len(REFUSED) >= 90


def test_a_text_is_said_in_both_languages() -> None:
    text = (
        "{{ customer.salutation }} {{ offer.minimum | money }} {{ offer.rate | percent }} {{ today | date }}"
        "{% if offer.tenor_days > 90 and not offer.risk == 'R5' %} {{ offer.tenor_days }}{% endif %}"
    )
    declared = declare(text)
    assert render(declared, "zh", samples("zh")) == "王女士 5万元 2.85% 2026年12月1日 180"
    assert render(declared, "en", samples("en")) == "Ms Wang 50,000 2.85 % 1 December 2026 180"
    assert declared.variables == [
        "customer.salutation",
        "offer.minimum",
        "offer.rate",
        "offer.risk",
        "offer.tenor_days",
        "today",
    ]


@pytest.mark.parametrize(
    ("amount", "zh", "en"),
    [
        ("50000", "5万元", "50,000"),
        ("123456.78", "123456.78元", "123,456.78"),
        ("12300", "1.23万元", "12,300"),
        ("999.50", "999.5元", "999.50"),
        ("1200.00", "1200元", "1,200"),
    ],
)
def test_amounts_as_they_are_read_out(amount: str, zh: str, en: str) -> None:
    declared, values = declare("{{ offer.minimum | money }}"), {"offer.minimum": Decimal(amount)}
    assert (render(declared, "zh", values), render(declared, "en", values)) == (zh, en)


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_value_can_be_missing(name: str) -> None:
    """It is refused by its name; with a default something else is said; and one may ask for it."""
    kind = VARIABLES[name].kind
    written = {"amount": " | money", "rate": " | percent", "date": " | date"}.get(kind, "")
    with pytest.raises(RenderError, match=f"a value is not known: {name}$"):
        render(declare(f"{{{{ {name}{written} }}}}"), "zh", {})
    assert render(declare(f"{{{{ {name}{written} | default('?') }}}}"), "zh", {}) == "?"
    asked = declare(f"{{% if {name} is defined %}}yes{{% else %}}no{{% endif %}}")
    assert render(asked, "zh", {}) == "no"
    assert render(asked, "zh", samples("zh")) == "yes"


def test_values_are_bounded_and_not_told() -> None:
    secret = "王" * (MAX_VALUE + 1)
    with pytest.raises(RenderError) as refused:
        render(declare("{{ customer.salutation }}"), "zh", {"customer.salutation": secret})
    assert str(refused.value) == "the value customer.salutation has more than 500 characters"
    with pytest.raises(RenderError, match="500 characters"):
        render(declare("{{ offer.terms }}"), "zh", {"offer.terms": "x" * 1_000_000})
    with pytest.raises(RenderError, match="grew beyond"):
        render(declare("{{ offer.terms }}" * 100), "zh", {"offer.terms": "x" * MAX_VALUE})


def test_a_value_is_never_a_program() -> None:
    values: dict[str, Value] = {"customer.salutation": "{{ 7*7 }}{% for x in y %}<script>"}
    text = "{{ customer.salutation }}"
    assert render(declare(text), "zh", values) == "{{ 7*7 }}{% for x in y %}<script>"
    assert render(declare(text, html=True), "zh", values) == "{{ 7*7 }}{% for x in y %}&lt;script&gt;"


def test_the_richest_text_still_renders() -> None:
    choice = "{% if customer.salutation == 'a' %}b{% else %}c{% endif %}"
    text = choice * 5 + "{{ customer.salutation | default('x') }}" * 100
    assert MAX_VARIANTS >= 2**5
    rendered = render(declare(text), "en", {"customer.salutation": "Ms Li"})
    assert rendered == "ccccc" + "Ms Li" * 100

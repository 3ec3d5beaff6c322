"""The smallest script that branches, and a leaflet."""

from typing import Any


def words(zh: str, en: str | None = None) -> dict[str, str]:
    return {"zh": zh, "en": en or "Words"}


def answer(key: str, **leads: str) -> dict[str, Any]:
    return {"key": key, "label": words(key, key), **leads}


BRANCHING: dict[str, Any] = {
    "key": "branching",
    "name": words("分支", "Branching"),
    "steps": [
        {
            "key": "hello",
            "text": words("您好{{ customer.salutation }}，我是{{ manager.name }}", "Hello {{ customer.salutation }}"),
            "answers": [answer("yes", next="offer"), answer("no", end="refused")],
        },
        {"key": "offer", "text": words("{{ offer.name }} {{ offer.rate | percent }}")},
    ],
}  # fmt: skip
LEAFLET: dict[str, Any] = {
    "key": "leaflet",
    "name": words("单页", "Leaflet"),
    "kind": "html",
    "channel": "email",
    "body": words("<p>{{ customer.salutation | default('客户') }}</p>", "<p>Dear customer</p>"),
}

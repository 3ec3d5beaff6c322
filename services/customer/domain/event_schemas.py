"""The built-in business events: JSON Schema (2020-12) of each type's ``data``.

A property marked ``"personal": true`` may hold free text about the customer; it is stored here and never
leaves the service. Properties a schema does not declare are stored but do not leave either.
"""

from typing import Any

Json = dict[str, Any]

_TEXT: Json = {"type": "string", "minLength": 1, "maxLength": 200}
_NOTE: Json = {"type": "string", "maxLength": 4000, "personal": True}
_CODE: Json = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
_ACCOUNT: Json = {"type": "string", "pattern": "^[^\\x00-\\x1f]{1,64}$"}
_AMOUNT: Json = {"type": "string", "pattern": "^[0-9]{1,16}(\\.[0-9]{1,2})?$"}
_BALANCE: Json = {"type": "string", "pattern": "^-?[0-9]{1,16}(\\.[0-9]{1,2})?$"}
_CURRENCY: Json = {"type": "string", "pattern": "^[A-Z]{3}$"}
_DATE: Json = {"type": "string", "format": "date"}
_CHANNEL: Json = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,39}$"}
_MINUTES: Json = {"type": "number", "minimum": 0, "maximum": 1440}
_CONTACT: Json = {"type": "string", "enum": ["call", "sms", "email", "visit", "app"]}
_RISK: Json = {"type": "string", "enum": ["C1", "C2", "C3", "C4", "C5"]}


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "required": required, "properties": properties}


_PRODUCT_EVENT: Json = {
    "account": _ACCOUNT,
    "product": _CODE,
    "balance": _BALANCE,
    "currency": _CURRENCY,
    "opened_on": _DATE,
    "matures_on": _DATE,
    "channel": _CHANNEL,
}

BUILT_IN: dict[str, tuple[str, str, Json]] = {
    "transaction.posted": (
        "交易入账",
        "Transaction posted",
        _object(
            ["amount"],
            account=_ACCOUNT,
            product=_CODE,
            amount=_AMOUNT,
            currency=_CURRENCY,
            direction={"type": "string", "enum": ["in", "out"]},
            channel=_CHANNEL,
            counterparty_type=_TEXT,
            category=_TEXT,
            balance_after=_BALANCE,
        ),
    ),
    "balance.snapshot": (
        "余额快照",
        "Balance snapshot",
        _object(
            ["product", "balance", "as_of"],
            account=_ACCOUNT,
            product=_CODE,
            balance=_BALANCE,
            currency=_CURRENCY,
            as_of=_DATE,
            matures_on=_DATE,
        ),
    ),
    "product.opened": ("产品开通", "Product opened", _object(["product"], **_PRODUCT_EVENT)),
    "product.closed": ("产品关闭", "Product closed", _object(["product"], **_PRODUCT_EVENT)),
    "product.matured": ("产品到期", "Product matured", _object(["product"], **_PRODUCT_EVENT)),
    "product.renewed": ("产品续期", "Product renewed", _object(["product"], **_PRODUCT_EVENT)),
    "login": ("登录", "Login", _object(["channel"], channel=_CHANNEL, device=_TEXT)),
    "channel.visited": (
        "渠道到访",
        "Channel visited",
        _object(["channel"], channel=_CHANNEL, branch=_TEXT, wait_minutes=_MINUTES),
    ),
    "interaction.recorded": (
        "互动记录",
        "Interaction recorded",
        _object(
            ["kind"],
            kind={"type": "string", "enum": ["call", "visit", "sms", "im", "branch"]},
            direction={"type": "string", "enum": ["in", "out"]},
            by=_CODE,
            minutes=_MINUTES,
            disposition=_TEXT,
            note=_NOTE,
        ),
    ),
    "complaint.filed": (
        "投诉提交",
        "Complaint filed",
        _object(
            [],
            category=_TEXT,
            severity={"type": "string", "enum": ["low", "medium", "high"]},
            reference=_TEXT,
            note=_NOTE,
        ),
    ),
    "complaint.resolved": (
        "投诉办结",
        "Complaint resolved",
        _object([], category=_TEXT, reference=_TEXT, days={"type": "integer", "minimum": 0}, note=_NOTE),
    ),
    "risk.assessed": (
        "风险测评",
        "Risk assessed",
        _object(["level", "valid_until"], level=_RISK, valid_until=_DATE),
    ),
    "consent.changed": (
        "授权变更",
        "Consent changed",
        _object(
            ["channel", "granted"],
            channel=_CONTACT,
            granted={"type": "boolean"},
            purpose={"type": "string", "enum": ["marketing", "service", "analytics", "sharing"]},
            valid_until=_DATE,
            proof=_NOTE,
        ),
    ),
    "loan.overdue": (
        "贷款逾期",
        "Loan overdue",
        _object(
            ["days", "amount"],
            days={"type": "integer", "minimum": 0, "maximum": 36500},
            amount=_AMOUNT,
            account=_ACCOUNT,
            product=_CODE,
            currency=_CURRENCY,
        ),
    ),
    "card.spent": (
        "刷卡消费",
        "Card spent",
        _object(
            ["amount"],
            amount=_BALANCE,
            currency=_CURRENCY,
            account=_ACCOUNT,
            product=_CODE,
            category=_TEXT,
            merchant=_TEXT,
            channel=_CHANNEL,
            reference=_TEXT,
        ),
    ),
    "salary.received": (
        "工资到账",
        "Salary received",
        _object(["amount"], amount=_AMOUNT, currency=_CURRENCY, account=_ACCOUNT, employer=_TEXT),
    ),
    "service.completed": (
        "服务完成",
        "Service completed",
        _object(
            ["business"],
            business=_TEXT,
            branch=_TEXT,
            **{
                dimension: {"type": "number", "minimum": 0, "maximum": 100}
                for dimension in ("timeliness", "standardisation", "tangibility", "reliability")
            },
        ),
    ),
}

"""What a shadow price says, in words."""

from shared.contracts.campaign.optimisations import LimitKind
from shared.contracts.campaign.vocabulary import LocalLongText


def sentence(kind: LimitKind, key: str, price: float, currency: str) -> LocalLongText:
    """`key` names the channel or campaign; unused for managers' minutes and the budget."""
    amount = f"{price:,.2f} {currency}"
    zh, en = {
        "manager_minutes": (
            f"客户经理每多一分钟，平均可多创造 {amount}。",
            f"One more minute of a manager adds {amount} on average.",
        ),
        "channel_capacity": (
            f"渠道 {key} 每多一次接触，可多创造 {amount}。",
            f"One more contact by {key} adds {amount}.",
        ),
        "quota_maximum": (
            f"活动 {key} 的上限每提高一位客户，可多创造 {amount}。",
            f"One more customer allowed in {key} adds {amount}.",
        ),
        "quota_minimum": (
            f"活动 {key} 的下限每降低一位客户，可多创造 {amount}。",
            f"One customer fewer demanded for {key} frees {amount}.",
        ),
        "budget": (
            f"预算每多 1 {currency}，可多创造 {amount}。",
            f"One {currency} more of budget adds {amount}.",
        ),
    }[kind]
    return LocalLongText(zh=zh, en=en)

"""What providers say, made fit to be kept: one line, and nothing in it that names a person. Pure."""

import re
from collections.abc import Iterable

_MAX = 300
_MAIL = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_NUMBER = re.compile(r"\d[\d \-]{5,}\d")


def fit_to_keep(text: str, recipients: Iterable[str] = ()) -> str:
    """Recipients, mail addresses and long numbers are left out: a refusal likes to repeat whom it refuses."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:5_000]).split())
    for recipient in recipients:
        line = re.sub(re.escape(recipient), "…", line, flags=re.IGNORECASE) if recipient else line
    return _NUMBER.sub("…", _MAIL.sub("…", line))[:_MAX]

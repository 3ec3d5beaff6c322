"""Free text of managers is kept without what identifies a customer."""

import re

_BLOT = "▇▇▇"
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LONG_NUMBER = re.compile(r"\+?\d{7,}[xX]?|\+?\d{3,4}[ -]\d{4}[ -]\d{4}")


def blot(note: str | None) -> str | None:
    """Blots out addresses of e-mail and numbers of seven digits or more: phones, accounts, identities."""
    if note is None:
        return None
    return _LONG_NUMBER.sub(_BLOT, _EMAIL.sub(_BLOT, note))

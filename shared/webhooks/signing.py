"""Standard Webhooks signatures, symmetric scheme `v1`. https://www.standardwebhooks.com"""

import base64
import hmac
import time
from collections.abc import Sequence
from hashlib import sha256

TOLERANCE_SECONDS = 300
"""How far the clock of whoever signed may be from ours; an older request is a replay."""

_PREFIX = "whsec_"
_MAX_SIGNATURES = 10
_DIGITS = 12


def show_secret(key: bytes) -> str:
    """The form in which secrets are handed out."""
    return _PREFIX + base64.b64encode(key).decode()


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; `timestamp` in Unix seconds."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


def headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Signed by each of `keys`: while a secret is replaced, receivers may know either."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }


def is_signed(keys: Sequence[bytes], message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Whether a request that came in is signed by one of `keys` and its time is near ours."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
        return False
    at = int(timestamp)
    if abs(time.time() - at) > TOLERANCE_SECONDS:
        return False
    given = [each.encode() for each in signatures.split(" ")[:_MAX_SIGNATURES]]
    expected = [signature(key, message_id, at, body).encode() for key in keys]
    # Every pair is compared, so that the time tells nothing.
    return sum(hmac.compare_digest(one, other) for one in given for other in expected) > 0

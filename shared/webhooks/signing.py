"""Standard Webhooks signatures, symmetric scheme `v1`. Pure. https://www.standardwebhooks.com"""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256

_PREFIX = "whsec_"


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

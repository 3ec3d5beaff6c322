"""The secret files that docker-compose.yml mounts: made once, never replaced."""

import ipaddress
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.broker_users import BrokerUsers, authorization
from deploy.embedded.databases import SERVICES, app_of, owner_of
from deploy.embedded.keyring import Keyring, write_secret
from deploy.embedded.nats import encryption

NATS_USER = "huanying"
NATS_NODES = ("nats-1", "nats-2", "nats-3")
CERTIFICATE_DAYS = 90


def write_all(directory: Path) -> list[str]:
    """Make what is missing, bring API keys and NATS users up to date, and name what was written.

    The directory is closed to everybody else; the files in it are readable by all, because each is mounted
    alone into containers of several accounts.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    keyring = Keyring(directory / "secrets")
    keyring.ensure()
    written = [name for name, make in _once(keyring).items() if _write_once(directory / name, make)]
    if not (directory / "tls_certificate").exists():
        certificate, key = self_signed("localhost")
        _publish(directory / "tls_key", key)
        _publish(directory / "tls_certificate", certificate)
        written += ["tls_key", "tls_certificate"]
    password, partners = (directory / "nats_password").read_text(), BrokerUsers.of(directory).entries()
    for name, text in (
        ("api_keys", keyring.api_keys.read_text()),
        ("nats_users", authorization(NATS_USER, password, partners)),
    ):
        if _changed(directory / name, text):
            _publish(directory / name, text)
            written.append(name)
    return written


def _once(keyring: Keyring) -> dict[str, Callable[[], str]]:
    passwords = ["postgres", *map(owner_of, SERVICES), *map(app_of, SERVICES)]
    return {
        "jwks": keyring.jwks.read_text,
        "pii_key": keyring.pii_key.read_text,
        "webhook_key": keyring.webhook_key.read_text,
        "session_secret": keyring.session_secret.read_text,
        **{f"service_{service}_key": keyring.service_key(service).read_text for service in SERVICES},
        **{f"{name}_password": lambda: secrets.token_urlsafe(24) for name in passwords},
        "nats_password": lambda: secrets.token_urlsafe(24),
        "nats_routes": lambda: nats_routes(secrets.token_urlsafe(24)),
        "nats_encryption": encryption,
    }


def nats_routes(password: str) -> str:
    routes = ", ".join(json.dumps(f"nats://route:{password}@{node}:6222") for node in NATS_NODES)
    return f"authorization {{ user: route, password: {json.dumps(password)} }}\nroutes: [{routes}]\n"


def self_signed(host: str) -> tuple[str, str]:
    """Certificate and key to begin with; replace both by the bank's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    begins = datetime.now(UTC) - timedelta(minutes=5)  # certificates live by the system's clock
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _write_once(path: Path, make: Callable[[], str]) -> bool:
    if path.exists():
        return False
    _publish(path, make())
    return True


def _changed(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text() != text


def _publish(path: Path, text: str) -> None:
    write_secret(path, text)
    path.chmod(0o444)

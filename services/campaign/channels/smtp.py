"""Messages as mail. Every refusal belongs to one recipient; the session goes on with the others."""

import asyncio
import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from pydantic import TypeAdapter

from services.campaign.channels.carriers import Carriers
from services.campaign.channels.connector import SUBMIT_SECONDS, OutboundMessage, Submission
from services.campaign.channels.details import fit_to_keep
from shared.contracts.campaign.channels import MailAddress, SmtpConnector
from shared.webhooks.destinations import Destinations, RefusedDestinationError

_STEP_SECONDS = 15.0
_BATCH = 20
_POLICY = SMTP.clone(cte_type="7bit")
_ADDRESS: TypeAdapter[str] = TypeAdapter(MailAddress)
_DOT = re.compile(rb"^\.", re.MULTILINE)
_LANGUAGES = {"zh": "zh-CN", "en": "en"}


class _Session(smtplib.SMTP):
    """Connects to addresses that were checked, and to no other; certificates are checked for the name."""

    def __init__(
        self, config: SmtpConnector, addresses: Sequence[str], tls: ssl.SSLContext, domain: str
    ) -> None:
        super().__init__(local_hostname=domain, timeout=_STEP_SECONDS)
        self._host = config.host
        self._addresses = addresses
        self._implicit = tls if config.security == "tls" else None
        self._wire: socket.socket | None = None
        self._aborted = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in self._addresses:
            try:
                self._wire = socket.create_connection((address, port), timeout)
            except OSError as error:
                failure = error
                continue
            self.check()
            if self._implicit is None:
                return self._wire
            return self._implicit.wrap_socket(self._wire, server_hostname=host)
        raise failure

    def check(self) -> None:
        """Raises `OSError` once it was aborted, also where there was nothing to shut down at that moment."""
        if self._aborted:
            raise ConnectionAbortedError

    def abort(self) -> None:
        """From another thread: whatever waits for the server ends now, and nothing more is written."""
        self._aborted = True
        wire = self.sock or self._wire
        if wire is not None:
            with contextlib.suppress(OSError):
                # Not the TLS layer's own shutdown, which is not made for two threads.
                socket.socket.shutdown(wire, socket.SHUT_RDWR)


def check_mail_host(config: SmtpConnector, destinations: Destinations) -> None:
    """What can be said without asking a name server. Raises `RefusedDestinationError`."""
    destinations.check_host(config.host)
    if config.security == "none" and not destinations.lists(config.host):
        raise RefusedDestinationError("needs TLS: the operator does not list this host")


class Smtp:
    batch = _BATCH

    def __init__(self, config: SmtpConnector, password: str | None, carriers: Carriers) -> None:
        self._config = config
        self._password = password
        self._carriers = carriers
        self._domain = config.sender.rpartition("@")[2]

    async def submit(self, messages: Sequence[OutboundMessage]) -> Sequence[Submission]:
        """All in one session, which is cut off when it takes too long: what was not written is not taken."""
        try:
            check_mail_host(self._config, self._carriers.destinations)
            addresses = await self._addresses()
        except RefusedDestinationError as error:
            return _all(messages, f"refused: {error}")
        except (TimeoutError, OSError, UnicodeError):
            return _all(messages, f"{self._config.host} cannot be resolved")
        session = _Session(self._config, addresses, self._carriers.tls, self._domain)
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._carriers.threads, self._deliver, session, messages)
        try:
            await asyncio.wait({work}, timeout=SUBMIT_SECONDS - 2 * _STEP_SECONDS)
        finally:
            if not work.done():
                session.abort()
        return await work

    async def _addresses(self) -> list[str]:
        host, port = self._config.host, self._config.port
        async with asyncio.timeout(_STEP_SECONDS):
            found = await self._carriers.names.addresses(host, port)
        return self._carriers.destinations.allowed(host, found)

    def _deliver(self, session: _Session, messages: Sequence[OutboundMessage]) -> list[Submission]:
        try:
            self._open(session)
        except smtplib.SMTPResponseException as error:
            # Of the code alone: what a server says about a login is nobody's to keep.
            session.close()
            return _all(messages, f"the mail server let us not in: {error.smtp_code}")
        except (OSError, ValueError, smtplib.SMTPException) as error:
            session.close()
            return _all(messages, f"no session with the mail server: {type(error).__name__}")
        submissions: list[Submission] = []
        for message in messages:
            if session.sock is None:
                submissions.append(Submission("failed", None, "the mail server ended the session before"))
            else:
                submissions.append(self._send(session, message))
        if session.sock is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                session.docmd("QUIT")
        session.close()
        return submissions

    def _open(self, session: _Session) -> None:
        code, said = session.connect(self._config.host, self._config.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        session.ehlo_or_helo_if_needed()
        if self._config.security == "starttls":
            session.starttls(context=self._carriers.tls)
            session.ehlo_or_helo_if_needed()
        if self._config.username is not None:
            session.login(self._config.username, self._password or "")

    def _send(self, session: _Session, message: OutboundMessage) -> Submission:
        written = False
        try:
            mail = _DOT.sub(b"..", self._mail(message))
        except (ValueError, MessageError):
            return Submission("refused", None, "cannot be written as a mail")
        try:
            steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
                lambda: session.mail(self._config.sender),
                lambda: session.rcpt(message.recipient),
                lambda: session.docmd("DATA"),
            )
            for step in steps:
                code, said = step()
                if not 200 <= code < 400:
                    return _answered(session, message, code, said)
            session.check()
            written = True
            session.send(mail.removesuffix(b"\r\n") + b"\r\n.\r\n")
            code, said = session.getreply()
            if not 200 <= code < 300 and not 400 <= code < 600:
                raise smtplib.SMTPResponseException(code, said)
        except (OSError, smtplib.SMTPException):
            session.close()
            detail = "the session ended before the mail server answered in a way that can be understood"
            return Submission("unknown" if written else "failed", None, detail)
        return _answered(session, message, code, said)

    def _mail(self, message: OutboundMessage) -> bytes:
        """The headers are built of parts that cannot begin another one. Raises `ValueError`."""
        mail = EmailMessage(_POLICY)
        mail["From"] = Address(self._config.sender_name or "", addr_spec=self._config.sender)
        mail["To"] = Address(addr_spec=_ADDRESS.validate_python(message.recipient))
        if message.subject is not None:
            mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body, cte="base64")
        mail["Content-Language"] = _LANGUAGES[message.language]
        return mail.as_bytes()


def _answered(session: _Session, message: OutboundMessage, code: int, said: bytes) -> Submission:
    detail = fit_to_keep(f"{code} {said.decode('utf-8', 'replace')}", [message.recipient])
    if 200 <= code < 300:
        return Submission("accepted", f"<{message.id}@{session.local_hostname}>", detail)
    if code == 421 or not 400 <= code < 600:
        session.close()
    else:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            session.rset()
    return Submission("refused" if code >= 500 else "failed", None, detail)


def _all(messages: Sequence[OutboundMessage], detail: str) -> list[Submission]:
    return [Submission("failed", None, detail)] * len(messages)

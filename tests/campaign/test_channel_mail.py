"""Messages by mail to a real SMTP server: what each of its answers means for each recipient."""

import ssl
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from deploy.compose_secrets import self_signed
from services.campaign.channels import OutboundMessage, Submission, smtp
from services.campaign.channels.carriers import Carriers
from services.campaign.channels.smtp import Smtp
from shared.contracts.campaign.channels import SmtpConnector
from tests.campaign.mail_server import MailServer, serving
from tests.campaign.messages import a_message, carriers


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, and a server's context with it."""
    certificate, key = self_signed("localhost")
    folder = tmp_path_factory.mktemp("mail")
    (folder / "certificate.pem").write_text(certificate)
    (folder / "both.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return folder / "certificate.pem", context


@pytest.fixture(scope="module")
async def shared(tls: tuple[Path, ssl.SSLContext]) -> AsyncIterator[Carriers]:
    async with carriers(webhook_ca_file=tls[0]) as found:
        yield found


def mail(to: str = "zhang@example.com", **changes: Any) -> OutboundMessage:
    return a_message(**{"kind": "email", "recipient": to, "subject": "稳健理财", **changes})


async def submit(
    shared: Carriers,
    server: MailServer,
    *messages: OutboundMessage,
    password: str | None = None,
    **config: Any,
) -> list[Submission]:
    values = {
        "type": "smtp",
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "sender": "service@bank.example",
        "sender_name": "欢赢 Bank",
    }
    connector = SmtpConnector.model_validate({**values, **config})
    return list(await Smtp(connector, password, shared).submit(messages))


async def test_a_mail_arrives_as_it_was_written(shared: Carriers) -> None:
    first = mail(body=".\r\n..两行\n第二行", language="zh")
    second = mail("li@example.com", subject=None, body="Good morning", language="en")
    with serving(MailServer()) as server:
        submitted = await submit(shared, server, first, second)
    assert [each.outcome for each in submitted] == ["accepted", "accepted"]
    assert submitted[0].reference == f"<{first.id}@bank.example>"
    assert server.sessions == 1
    read = message_from_bytes(server.mails[0], policy=default)
    assert read["message-id"] == submitted[0].reference
    assert read["from"] == "欢赢 Bank <service@bank.example>"
    assert read["to"] == "zhang@example.com"
    assert read["subject"] == "稳健理财"
    assert read["content-language"] == "zh-CN"
    body = read.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().split("\r\n") == [".", "..两行", "第二行", ""]
    assert "subject" not in message_from_bytes(server.mails[1])


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_login_goes_through_tls_alone(
    shared: Carriers, tls: tuple[Path, ssl.SSLContext], security: str
) -> None:
    server = MailServer(tls=tls[1], implicit=security == "tls", login=("mailer", "s3cret word"))
    with serving(server):
        chosen = {"security": security, "username": "mailer"}
        (submission,) = await submit(shared, server, mail(), password="s3cret word", **chosen)
        assert submission.outcome == "accepted"
        assert server.encrypted
        (wrong,) = await submit(shared, server, mail(), password="wr0ng word", **chosen)
    assert wrong == Submission("failed", None, "the mail server let us not in: 535")
    assert len(server.mails) == 1


async def test_no_tls_no_mail(tls: tuple[Path, ssl.SSLContext], shared: Carriers) -> None:
    with serving(MailServer(starttls=False)) as stripped:
        (submission,) = await submit(shared, stripped, mail(), security="starttls")
        assert submission.outcome == "failed"
    with serving(MailServer(tls=tls[1])) as stranger:
        async with carriers() as distrustful:
            (submission,) = await submit(distrustful, stranger, mail(), security="starttls")
        assert submission.outcome == "failed"
    assert stripped.mails == stranger.mails == []


@pytest.mark.parametrize(
    ("answers", "outcome", "detail"),
    [
        ({"RCPT TO:<ZHANG": "550 5.1.1 <zhang@example.com> unknown"}, "refused", "550 5.1.1 <…> unknown"),
        ({"RCPT TO:<ZHANG": "450 4.2.0 greylisted"}, "failed", "450 4.2.0 greylisted"),
        ({"MAIL": "553 not you"}, "refused", "553 not you"),
        ({"MAIL": "451 later"}, "failed", "451 later"),
        ({"DATA": "554 no"}, "refused", "554 no"),
        ({"DATA": "452 full"}, "failed", "452 full"),
        ({".": "554 spam"}, "refused", "554 spam"),
        ({".": "451 later"}, "failed", "451 later"),
        ({".": "4"}, "unknown", None),
        ({".": ""}, "unknown", None),
        ({"DATA": ""}, "failed", None),
        ({"RCPT": ""}, "failed", None),
        ({"MAIL": "421 closing"}, "failed", "421 closing"),
        ({"GREETING": "554 not today"}, "failed", "the mail server let us not in: 554"),
        ({"GREETING": ""}, "failed", None),
        ({"EHLO": "", "HELO": ""}, "failed", None),
    ],
)
async def test_what_each_answer_means(
    shared: Carriers, answers: dict[str, str], outcome: str, detail: str | None
) -> None:
    with serving(MailServer(answers=answers)) as server:
        (submission,) = await submit(shared, server, mail())
    assert submission.outcome == outcome
    assert submission.reference is None
    assert detail is None or submission.detail == detail
    assert "zhang" not in (submission.detail or "").lower()


async def test_one_refused_recipient_is_nobody_elses_matter(shared: Carriers) -> None:
    answers = {"RCPT TO:<BAD": "550 no"}
    with serving(MailServer(answers=answers)) as server:
        submitted = await submit(shared, server, mail(), mail("bad@example.com"), mail("li@example.com"))
    assert [each.outcome for each in submitted] == ["accepted", "refused", "accepted"]
    assert len(server.mails) == 2
    assert server.sessions == 1


async def test_who_comes_after_a_lost_session_is_not_lost(shared: Carriers) -> None:
    with serving(MailServer(answers={".": ""})) as server:
        submitted = await submit(shared, server, mail(), mail("li@example.com"))
    assert [each.outcome for each in submitted] == ["unknown", "failed"]
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "zhang@example.com\r\nBcc: spy@example.com"},
        {"to": "zhang@example.com>\r\nRCPT TO:<spy@example.com"},
        {"to": "zhang@example.com, spy@example.com"},
        {"to": "a..b@example.com"},
        {"to": "张@example.com"},
        {"to": ""},
    ],
)
async def test_an_address_is_one_address(shared: Carriers, changes: dict[str, str]) -> None:
    with serving(MailServer()) as server:
        submitted = await submit(shared, server, mail(**changes), mail("li@example.com"))
    assert submitted[0] == Submission("refused", None, "cannot be written as a mail")
    assert submitted[1].outcome == "accepted"
    assert [each.upper() for each in server.recipients] == ["RCPT TO:<LI@EXAMPLE.COM>"]


async def test_a_subject_begins_no_other_header(shared: Carriers) -> None:
    with serving(MailServer()) as server:
        await submit(shared, server, mail(subject="Hello\r\nBcc: spy@example.com\r\n\r\nbody"))
    read = message_from_bytes(server.mails[0], policy=default)
    assert "bcc" not in read
    assert read["subject"] == "Hello Bcc: spy@example.com body"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"host": "10.0.0.25"}, "inside the bank"),
        ({"host": "localhost"}, "inside the bank"),
        ({"host": "mail.example.com"}, "needs TLS"),
        ({"host": "nowhere.invalid", "security": "tls"}, "resolved"),
        ({"port": 1}, "no session"),
    ],
)
async def test_where_mail_does_not_go(shared: Carriers, config: dict[str, Any], says: str) -> None:
    (submission,) = await submit(shared, MailServer(port=25), mail(), **config)
    assert submission.outcome == "failed"
    assert says in (submission.detail or "")


async def test_a_session_that_takes_too_long_is_cut_off(
    shared: Carriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two commands nothing was taken; the server reads until it is cut off."""
    monkeypatch.setattr(smtp, "SUBMIT_SECONDS", 2 * smtp._STEP_SECONDS + 0.3)
    with serving(MailServer(answers={"RCPT": "250-and", "EHLO": "250 hello"})) as server:
        (submission,) = await submit(shared, server, mail())
    assert submission.outcome == "failed"
    assert server.mails == []

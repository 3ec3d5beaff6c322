"""Files that are sent in, raw or in a form: no more of them is read or spooled than is taken."""

from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from shared.contracts.evaluation.analyse import AnalyseOptions
from shared.errors import ProblemError, TooLarge, Unprocessable
from shared.uploads import file_body, file_parts, stated

MARK = "x7"
_HEAD = f'--{MARK}\r\nContent-Disposition: form-data; name="{{}}"{{}}\r\n\r\n'


def form(content: bytes, **fields: str) -> list[bytes]:
    """The file first, so that its fields are only known when all of it was read."""
    parts = [_HEAD.format("file", '; filename="a.csv"').encode(), content, b"\r\n"]
    parts += [(_HEAD.format(name, "") + value + "\r\n").encode() for name, value in fields.items()]
    return [*parts, f"--{MARK}--\r\n".encode()]


class Sent:
    """A request of these parts; `read` of them were asked for."""

    def __init__(self, parts: list[bytes], media_type: str) -> None:
        self._parts, self.read = parts, 0
        headers = [(b"content-type", media_type.encode())]
        self.request = Request({"type": "http", "method": "POST", "headers": headers}, self._receive)

    async def _receive(self) -> dict[str, object]:
        self.read += 1
        return {
            "type": "http.request",
            "body": self._parts[self.read - 1],
            "more_body": self.read < len(self._parts),
        }


async def taken(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


async def test_a_body_and_a_form_give_the_same_bytes() -> None:
    content, fields = b"arm,y\r\na,1\r\n", dict[str, str]()
    sent = Sent([content[:4], content[4:]], "text/csv")
    assert await taken(file_parts(sent.request, fields, 100)) == content
    sent = Sent(form(content, options="{}"), f"multipart/form-data; boundary={MARK}")
    assert await taken(file_parts(sent.request, fields, 1000)) == content
    assert fields == {"options": "{}"}


@pytest.mark.parametrize("media_type", ["text/csv", f"multipart/form-data; boundary={MARK}"])
async def test_nothing_is_read_beyond_what_is_taken(media_type: str) -> None:
    parts = form(b"")[:1] + [b"a" * 1000] * 50
    sent = Sent(parts, media_type)
    with pytest.raises(TooLarge, match="At most 5,000 bytes are taken: in a shell"):
        await taken(file_parts(sent.request, {}, 5000, ": in a shell"))
    assert sent.read <= 7


@pytest.mark.parametrize(
    ("parts", "status"),
    [(form(b"")[3:], 422), ([b"--y\r\nnonsense\r\n\r\n"], 400)],
    ids=["no file", "no form"],
)
async def test_a_form_without_a_file_says_so(parts: list[bytes], status: int) -> None:
    with pytest.raises(ProblemError) as refused:
        await taken(file_parts(Sent(parts, f"multipart/form-data; boundary={MARK}").request, {}, 1000))
    assert refused.value.status == status


def test_a_model_in_a_field_names_what_is_wrong_in_it() -> None:
    with pytest.raises(Unprocessable) as refused:
        stated('{"arm": "a", "control": "b", "metrics": ["y"], "alpha": 7}', AnalyseOptions, "options")
    assert [error.pointer for error in refused.value.errors] == ["/options/alpha"]
    with pytest.raises(Unprocessable):
        stated("{", AnalyseOptions, "options")


def test_the_documents_offer_the_file_itself_and_a_form() -> None:
    body = file_body("A table", ["text/csv"], {"options": {"type": "string"}}, ["options"])["requestBody"]
    assert list(body["content"]) == ["text/csv", "multipart/form-data"]
    schema = body["content"]["multipart/form-data"]["schema"]
    assert (schema["required"], list(schema["properties"])) == (["file", "options"], ["file", "options"])

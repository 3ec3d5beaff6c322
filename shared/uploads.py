"""Files that are sent in: as the body itself, or as the field `file` of a form."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from shared.errors import BadRequest, FieldError, TooLarge, Unprocessable

Stated = TypeVar("Stated", bound=BaseModel)

MOST_FIELD_BYTES = 100_000
"""Of a form's field beside the file."""
_MOST_FIELDS = 5
_READ_BYTES = 1024 * 1024
_SHOWN = 50
_FORM = "multipart/form-data"
_FILE = {"type": "string", "format": "binary"}


def file_body(
    description: str,
    types: Sequence[str],
    fields: Mapping[str, Mapping[str, Any]] | None = None,
    required: Sequence[str] = (),
) -> dict[str, Any]:
    """OpenAPI of a body in one of the media `types`, or a form with the file and further `fields`."""
    form = {
        "type": "object",
        "required": ["file", *required],
        "properties": {"file": _FILE, **(fields or {})},
    }
    content = {**{type_: {"schema": _FILE} for type_ in types}, _FORM: {"schema": form}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


async def file_parts(
    request: Request, fields: dict[str, str], most_bytes: int, advice: str = ""
) -> AsyncIterator[bytes]:
    """The file's bytes; the form's text fields are put into `fields` before the first of them.

    413, with `advice`, before more than `most_bytes` of the body are read or spooled; 422 without a file, 400
    when the form cannot be read.
    """
    stream = _bounded(request.stream(), most_bytes, advice)
    if not request.headers.get("content-type", "").startswith(_FORM):
        async for part in stream:
            yield part
        return
    parser = MultiPartParser(
        request.headers, stream, max_files=1, max_fields=_MOST_FIELDS, max_part_size=MOST_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(f"The form cannot be read: {error.message}") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Unprocessable("The form has no file.", errors=[FieldError("/file", "is required")])
        fields |= {name: value for name, value in form.items() if isinstance(value, str)}
        while part := await file.read(_READ_BYTES):
            yield part
    finally:
        await form.close()


async def _bounded(parts: AsyncIterator[bytes], most: int, advice: str) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in parts:
        size += len(part)
        if size > most:
            raise TooLarge(f"At most {most:,} bytes are taken{advice}.")
        yield part


def stated(text: str, model: type[Stated], name: str) -> Stated:
    """A model given as JSON, in the field or parameter `name`; 422 names what is wrong in it."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        errors = [
            FieldError(f"/{name}" + "".join(f"/{part}" for part in one["loc"]), one["msg"][:200])
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise Unprocessable(f"`{name}` is not valid.", errors=errors[:_SHOWN]) from None

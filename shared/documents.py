"""What integrators read: OpenAPI per service and AsyncAPI for all events, generated and committed."""

import importlib
from pathlib import Path
from typing import Any

import orjson

from shared.contracts.customer import CloudEventIn, EventBatchResult
from shared.contracts.events import EVENTS, EventData
from shared.pushed import REPLY_HEADER
from shared.settings import SERVICES
from shared.topology import STREAMS, stream_of

_DIALECT = "#/components/schemas/{model}"


def openapi(service: str) -> dict[str, Any]:
    app = importlib.import_module(f"services.{service}.app").app
    document: dict[str, Any] = app.openapi()
    document["servers"] = [{"url": f"/api/{service}", "description": "at the gateway"}]
    return document


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3 of every stream, subject and event."""
    schemas: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for name, event in EVENTS.items():
        title = event.__name__
        messages[title] = _message(name, event, schemas)
        channels[title] = {
            "address": f"{event.SUBJECT}.{{key}}",
            "description": f"Stream {stream_of(event)} ({STREAMS[stream_of(event)]})",
            "parameters": {"key": {"description": "What order is kept for"}},
            "messages": {title: {"$ref": f"#/components/messages/{title}"}},
        }
        operations[f"publish{title}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{title}"},
            "summary": f"{event.service()} publishes {title}",
        }
    channels["PushedEvents"], operations["receivePushedEvents"] = _intake(messages, schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Huanying events",
            "version": "1",
            "description": "CloudEvents 1.0 in structured JSON over NATS JetStream. Delivered at least once, "
            "in order per key; `id` identifies the event, repeated deliveries carry the same one.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _intake(messages: dict[str, Any], schemas: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Where partners push their own events: the one channel we read from others."""
    event = CloudEventIn.model_json_schema(ref_template=_DIALECT)
    schemas |= event.pop("$defs", {})
    schemas["CloudEventIn"] = event
    result = EventBatchResult.model_json_schema(ref_template=_DIALECT)
    schemas |= result.pop("$defs", {})
    schemas["EventBatchResult"] = result
    one = {"$ref": _DIALECT.format(model="CloudEventIn")}
    messages["PushedEvents"] = {
        "title": "PushedEvents",
        "summary": "One CloudEvent of a partner, or an array of them",
        "contentType": "application/cloudevents-batch+json",
        "headers": {
            "type": "object",
            "properties": {
                REPLY_HEADER: {
                    "type": "string",
                    "description": "Subject below the partner's inbox where an EventBatchResult is wanted",
                }
            },
        },
        "payload": {"oneOf": [one, {"type": "array", "items": one, "minItems": 1}]},
    }
    channel = {
        "address": "intake.{source}",
        "description": "Stream INTAKE (intake.>); a credential publishes its own source's subject only",
        "parameters": {"source": {"description": "The source of all events of the message"}},
        "messages": {"PushedEvents": {"$ref": "#/components/messages/PushedEvents"}},
    }
    operation = {
        "action": "receive",
        "channel": {"$ref": "#/channels/PushedEvents"},
        "summary": "customer records what partners push; refused events go to its quarantine",
    }
    return channel, operation


def _message(name: str, event: type[EventData], schemas: dict[str, Any]) -> dict[str, Any]:
    data = event.model_json_schema(ref_template=_DIALECT)
    schemas |= data.pop("$defs", {})
    schemas[event.__name__] = data
    return {
        "name": name,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().split("\n")[0],
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "subject", "time", "partitionkey", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "format": "uuid"},
                "source": {"const": f"/services/{event.service()}"},
                "type": {"const": name},
                "subject": {"type": "string"},
                "time": {"type": "string", "format": "date-time"},
                "datacontenttype": {"const": "application/json"},
                "partitionkey": {"type": "string"},
                "traceparent": {"type": "string"},
                "data": {"$ref": _DIALECT.format(model=event.__name__)},
            },
        },
    }


def documents() -> dict[str, bytes]:
    """File name → content, stable from run to run."""
    files = {f"openapi-{service}.json": openapi(service) for service in SERVICES}
    files["asyncapi.json"] = asyncapi()
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return {name: orjson.dumps(document, option=options) for name, document in files.items()}


def write(directory: Path) -> list[str]:
    """Write what differs; the names of the files that did."""
    directory.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, content in documents().items():
        file = directory / name
        if not file.exists() or file.read_bytes() != content:
            file.write_bytes(content)
            changed.append(name)
    return changed

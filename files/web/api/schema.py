"""The API as one: its operations, and its schema (OpenAPI 3.1), which is committed and compared.

Operations of bytes are plain views, so that no byte goes through a parser: they are described here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError as Invalid
from ninja.openapi.schema import REF_TEMPLATE, OpenAPISchema
from ninja.renderers import BaseRenderer
from pydantic_core import to_json

from files.errors import VaultError
from files.web.api import (
    access_requests,
    asking,
    batches,
    files,
    folders,
    links,
    lists,
    problems,
    reports,
    sharing,
)
from files.web.api.answers import ALWAYS, HEADER, IDEMPOTENT
from files.web.api.entrance import on_error
from files.web.api.problems import Problem
from files.web.api.shapes.contents import StoredOut

VERSION: Final = "1.0.0"
PREFIX: Final = "/api/v1"


class Renderer(BaseRenderer):
    """JSON as the shapes have it: moments to the microsecond."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return to_json(data)


api = NinjaAPI(
    title="Securestore",
    version=VERSION,
    description="A vault for files, for programs. Each request has a token as its bearer.",
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
    renderer=Renderer(),
)
api.add_router("", lists.router)
api.add_router("/files", files.router)
api.add_router("/files", sharing.of_files)
api.add_router("/files", links.of_files)
api.add_router("/folders", links.of_folders)
api.add_router("", links.router)
api.add_router("/digests", files.digests_router)
api.add_router("/folders", folders.router)
api.add_router("/folders", batches.router)
api.add_router("/folders", sharing.of_folders)
api.add_router("/folders", asking.of_folders)
api.add_router("/requests", asking.router)
api.add_router("/access-requests", access_requests.router)
api.add_router("", reports.router)

for kind in {Problem, VaultError, Http404, *(kind for kind, _how in problems._REFUSALS)}:
    api.add_exception_handler(kind, on_error)


@api.exception_handler(Invalid)
def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    """What does not fit the schema: where, and why; what was sent is not told again."""
    told = [
        {"where": _place(one.get("loc", ())), "why": one.get("msg", "")} for one in error.errors
    ]
    words = "; ".join(f"{one['where']}: {one['why']}" for one in told)
    return Problem("invalid", words, errors=told).response()


def _place(parts: Sequence[object]) -> str:
    """Where in what was sent; a body is named after our own parameter, which nobody sends."""
    named = [str(part) for part in parts]
    return ".".join(named[:1] + named[2:] if named[:1] == ["body"] else named)


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The schema, for anybody: it says what there is, and nothing of anybody."""
    return JsonResponse(document())


def document() -> dict[str, Any]:
    """The schema as it is served and committed."""
    found = json.loads(json.dumps(OpenAPISchema(api, ""), default=str))
    paths: dict[str, Any] = {
        f"{PREFIX}{path}": operations for path, operations in found["paths"].items()
    }
    paths |= _bytes()
    for operations in paths.values():
        for method, operation in operations.items():
            if any(one["name"] == HEADER for one in operation.get("parameters", ())):
                operation["responses"].setdefault("422", {"description": "Another request's key"})
            _refused_before(method, operation["responses"])
            _as_problems(operation)
    found["paths"] = dict(sorted(paths.items()))
    found["components"]["schemas"] = dict(
        sorted({**found["components"]["schemas"], "StoredOut": _stored()}.items())
    )
    found["components"]["securitySchemes"] = {"Token": {"type": "http", "scheme": "bearer"}}
    found["servers"] = []
    return {name: found[name] for name in found if name != "servers"}


def _stored() -> dict[str, Any]:
    """The shape of an answer that no operation of the library gives."""
    found = StoredOut.model_json_schema(ref_template=REF_TEMPLATE, mode="serialization")
    return {name: value for name, value in found.items() if name != "$defs"}


_ANY: Final = (414, 417)
_CHANGING: Final = (405, 408, 411, 413, 415, 501)
"""What refuses a request before any operation sees it, for what its headers say or how it comes
(`bodies.check`, `securestore.form_bodies`); of those alone that change something."""


def _refused_before(method: str, responses: dict[str, Any]) -> None:
    for status in (*_ANY, *(() if method in {"get", "head"} else _CHANGING)):
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    # The server's own answer, to an address that is too long for it: it has no problem.
    responses["414"] = {"description": "The address is too long: an answer without a body"}
    for status in sorted(responses):
        responses[status] = responses.pop(status)


def _as_problems(operation: dict[str, Any]) -> None:
    operation["security"] = [{"Token": []}]
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if int(status) >= 400 and status != "414":
            schema = content.pop("application/json", None)
            response["content"] = {
                problems.CONTENT_TYPE: schema or {"schema": {"$ref": _ref("Problem")}}
            }


def _ref(name: str) -> str:
    return f"#/components/schemas/{name}"


# --- Operations of bytes ------------------------------------------------------------------------

_UUID = {"type": "string", "format": "uuid"}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def _parameter(where: str, name: str, schema: dict[str, Any], text: str = "") -> dict[str, Any]:
    found = {"in": where, "name": name, "required": where == "path", "schema": schema}
    return {**found, "description": text} if text else found


def _header(name: str, text: str = "") -> dict[str, Any]:
    return _parameter("header", name, {"type": "string"}, text)


def _problem_responses(*statuses: int) -> dict[str, Any]:
    return {str(status): {"description": "A problem"} for status in sorted({*ALWAYS, *statuses})}


def _sending(operation_id: str, parameters: list[dict[str, Any]], *, head: bool) -> dict[str, Any]:
    def answer(text: str) -> dict[str, Any]:
        return {"description": text} if head else {"description": text, "content": {"*/*": {}}}

    return {
        "operationId": operation_id,
        "summary": "The bytes of a file",
        "tags": ["contents"],
        "parameters": [
            *parameters,
            _header("Range", "One range of bytes."),
            _header("If-Range", "An ETag."),
            _header("If-Match"),
            _header("If-None-Match"),
            _header("Securestore-Key", "Of a held file: its own key, or its passphrase."),
        ],
        "responses": {
            "200": answer("All of it, with Repr-Digest"),
            "206": answer("A part of it"),
            "304": {"description": "It has not changed"},
            **_problem_responses(404, 409, 412, 416, 502),
        },
    }


def _receiving(operation_id: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    stored = {
        "description": "Stored",
        "content": {"application/json": {"schema": {"$ref": _ref("StoredOut")}}},
    }
    return {
        "operationId": operation_id,
        "summary": "Store a file, or a new version of it",
        "tags": ["contents"],
        "parameters": [
            *parameters,
            _parameter("query", "parents", {"type": "string", "enum": ["1"]}, "Make folders."),
            _parameter("query", "custody", {"type": "string", "enum": ["managed", "held"]}),
            _header("If-Match", "The ETag of what is to be replaced."),
            _header("If-None-Match", "*: only where nothing is there; an ETag: not in its place."),
            _header("Repr-Digest", "sha-256 of the body: compared before anything is a file."),
            _header("Securestore-Modified", "RFC 3339: when the original was changed."),
            *IDEMPOTENT["parameters"],
        ],
        "requestBody": {"required": True, "content": _BYTES},
        "responses": {
            "200": stored,
            "201": stored,
            **_problem_responses(404, 408, 409, 411, 412, 413, 415, 422, 501),
        },
    }


def _bytes() -> dict[str, Any]:
    """The paths of bytes, described."""
    path = _parameter("path", "path", {"type": "string", "minLength": 1}, "Names with “/” between.")
    file_id, folder_id = (
        _parameter("path", "file_id", _UUID),
        _parameter("path", "folder_id", _UUID),
    )
    version = _parameter("path", "version", _UUID)
    found: dict[str, Any] = {}
    for address, name, parameters, takes in (
        ("/content/{path}", "content", [path], True),
        ("/folders/{folder_id}/content/{path}", "folder_content", [folder_id, path], True),
        ("/files/{file_id}/content", "file_content", [file_id], False),
        (
            "/files/{file_id}/versions/{version}/content",
            "version_content",
            [file_id, version],
            False,
        ),
    ):
        found[f"{PREFIX}{address}"] = {
            "get": _sending(f"get_{name}", parameters, head=False),
            "head": _sending(f"head_{name}", parameters, head=True),
            **({"put": _receiving(f"put_{name}", parameters)} if takes else {}),
        }
    return found

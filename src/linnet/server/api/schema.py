"""Schema: the OpenAPI document, with the bodies as msgspec really reads and writes them.

Litestar draws paths and operations from the handlers. It takes bytes for text and shows its own
errors, so components come from msgspec instead (bytes are base64), and every operation answers
with a problem document where it does not succeed.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from linnet.server.api.problems import CONTENT_TYPE
from linnet.wire import rest

PATH = "/v1/schema"
ACCESS: list[dict[str, list[str]]] = [{"access": []}]
"""What a resource names as its `security` when it needs an access token."""
DELIVERY: list[dict[str, list[str]]] = [{"delivery": []}]
"""And when it needs the recipient's delivery key, and no token."""

_REF = "#/components/schemas/{name}"


def schema() -> OpenAPIConfig:
    """Serve the document as JSON at PATH and at PATH/openapi.json."""
    return OpenAPIConfig(
        title="Linnet",
        version="v1",
        description="Bytes are standard base64, ids in paths are UUIDs; errors are RFC 9457.",
        path=PATH,
        render_plugins=[_Rendered(path=["/", "/openapi.json"])],
        components=Components(
            security_schemes={
                "access": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT"),
                "delivery": SecurityScheme(
                    type="apiKey", security_scheme_in="header", name="Linnet-Delivery-Key"
                ),
            }
        ),
    )


class _Rendered(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        document = dict(openapi_schema)
        document["components"] = {**document["components"], "schemas": _components()}
        document["paths"] = {
            path: {method: _operation(of) for method, of in operations.items()}
            for path, operations in document["paths"].items()
        }
        return msgspec.json.encode(document)


def _components() -> dict[str, Any]:
    bodies = [
        body
        for body in vars(rest).values()
        if isinstance(body, type) and issubclass(body, rest.Body) and body is not rest.Body
    ]
    return msgspec.json.schema_components(bodies, ref_template=_REF)[1]


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    success = {
        status: answer for status, answer in operation["responses"].items() if status[0] == "2"
    }
    refusal = {
        "description": "A problem document; `code` says which.",
        "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
    }
    return {**operation, "responses": {**success, "default": refusal}}

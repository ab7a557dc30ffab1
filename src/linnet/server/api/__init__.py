"""The HTTP edge: one file per resource under `/v1`, thin handlers over services.

docs/protocol/rest.md is this interface for readers; OpenAPI is served at `/v1/schema`.
"""

from linnet.server.api.application import build
from linnet.server.api.services import Services

__all__ = ["Services", "build"]

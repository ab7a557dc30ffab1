"""docs/protocol/rest.md names every operation there is, and no other."""

import re
from pathlib import Path
from typing import Any

import httpx
from tests.server.kit import Kit

from linnet.server import api

PAGE = Path(__file__).parents[3] / "docs" / "protocol" / "rest.md"
# Served, and deliberately not in their own description.
UNDESCRIBED = {"GET /metrics", "GET /v1/schema"}


async def test_the_page_and_the_schema_name_the_same_operations() -> None:
    app: Any = api.build(Kit().services, lambda: True, 1024)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://server"
    ) as http:
        paths = (await http.get("/v1/schema")).json()["paths"]
        for operation in UNDESCRIBED:
            assert (await http.get(operation.split()[1])).status_code == 200
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    named = set(re.findall(r"^\| `([A-Z]+ /[^\s?`]+)\S*` \|", PAGE.read_text(), re.MULTILINE))
    assert named == served | UNDESCRIBED

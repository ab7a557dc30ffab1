"""The HTTP edge in front of a test's own services. It is built once: that takes longer than most
tests."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, cast

from linnet.server import api
from linnet.server.api.services import Services


class _Here:
    """One of the services of the test that runs."""

    def __init__(self, noun: str) -> None:
        self._noun = noun

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_running[-1], self._noun), name)


_running: list[Services] = []


@cache
def _built(request_bytes: int) -> Any:
    nouns = {field.name: _Here(field.name) for field in fields(Services)}
    return api.build(Services(**cast("Any", nouns)), lambda: True, request_bytes)


def edge(services: Services, request_bytes: int) -> Any:
    """The application over these services, until it is asked for with others."""
    _running[:] = [services]
    return _built(request_bytes)

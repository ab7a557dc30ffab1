"""No decoder is forgotten: what is named like one is fuzzed, or has a reason not to be."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

from tests.fuzz.registry import DECODERS, ELSEWHERE

import linnet.crypto
import linnet.signing
import linnet.wire

NAMED = re.compile(
    r"(decode|read|parse|open|unpack|from)(_\w+)?$|client_frame$|server_frame$|compare$"
)
OTHER_THINGS = re.compile(r"\.(Channel\.open|codec\.JsonCodec\.encode|objects\..*)$")


def named_like_decoders() -> set[str]:
    """Public functions and methods of the three packages that are named like decoders."""
    found = set()
    for package in (linnet.wire, linnet.signing, linnet.crypto):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for name, thing in vars(module).items():
                if getattr(thing, "__module__", None) != info.name or name.startswith("_"):
                    continue
                if inspect.isfunction(thing) and NAMED.match(name):
                    found.add(f"{info.name}.{name}")
                elif inspect.isclass(thing):
                    found |= {
                        f"{info.name}.{name}.{method}"
                        for method, inner in vars(thing).items()
                        if callable(getattr(inner, "__func__", inner)) and NAMED.match(method)
                    }
    return {it for it in found if not OTHER_THINGS.search(it)}


def test_every_decoder_is_in_the_registry_or_has_a_reason() -> None:
    covered = {name for decoder in DECODERS for name in decoder.covers}
    assert named_like_decoders() - covered - ELSEWHERE.keys() == set()


def test_the_registry_names_nothing_that_is_gone() -> None:
    covered = {name for decoder in DECODERS for name in decoder.covers}
    assert (covered | ELSEWHERE.keys()) - named_like_decoders() == set()
    assert covered & ELSEWHERE.keys() == set()


def test_names_of_decoders_are_told_apart() -> None:
    names = [decoder.name for decoder in DECODERS]
    assert len(set(names)) == len(names)

"""Reads a JUnit report and prints where the time went, folder by folder.

`times.py REPORT` prints the table; `times.py --skipped REPORT` fails if a test was skipped.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from xml.etree import ElementTree


def folder(classname: str) -> str:
    """`tests.wire.test_codec` → `tests/wire`."""
    return "/".join(classname.split(".")[:2]) if classname.count(".") > 1 else "tests"


def main(arguments: list[str]) -> int:
    """Prints the table or the skipped tests; returns the exit code."""
    cases = list(ElementTree.parse(arguments[-1]).iter("testcase"))
    if "--skipped" in arguments:
        skipped = [case for case in cases if case.find("skipped") is not None]
        for case in skipped:
            print(f"skipped: {case.get('classname')}.{case.get('name')}")
        return 1 if skipped else 0
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for case in cases:
        name = folder(case.get("classname", ""))
        seconds[name] += float(case.get("time", 0))
        tests[name] += 1
    print("\nwhere the time goes (seconds of all workers together)")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:<24}{tests[name]:>6} tests {spent:>9.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

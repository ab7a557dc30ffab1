"""`make golden`: writes the table of lies into docs/security/threat-model.md, from the cases."""

import itertools
import re
from pathlib import Path
from typing import Final

from tests.hostile.cases import Case, Verdict
from tests.hostile.every_case import EVERY_CASE

PAGE: Final = Path(__file__).parents[2] / "docs" / "security" / "threat-model.md"
_MARKED: Final = re.compile(r"(<!-- hostile:begin -->\n).*?(<!-- hostile:end -->)", re.DOTALL)


def redrawn(text: str) -> str:
    """The page with the table as the cases have it now."""
    return _MARKED.sub(lambda part: f"{part[1]}\n{drawn()}\n{part[2]}", text)


def drawn() -> str:
    """How many lies there are, and a table for each thing that they are about."""
    noticed = sum(case.verdict is Verdict.NOTICED for case in EVERY_CASE)
    lines = [f"{len(EVERY_CASE)} lies, of which {noticed} are noticed.", ""]
    for about, cases in itertools.groupby(EVERY_CASE, key=lambda case: case.about):
        lines += [f"### About {about}", "", "| the server | | the client | case |"]
        lines += ["|---|---|---|---|", *map(_row, cases), ""]
    return "\n".join(lines)


def _row(case: Case) -> str:
    return f"| {case.server} | *{case.verdict}* | {case.client} | `{case.name}` |"


def main() -> None:
    """Rewrite the page if it differs, and say so."""
    text = PAGE.read_text()
    wanted = redrawn(text)
    if wanted != text:
        PAGE.write_text(wanted)
        print(f"wrote {PAGE.relative_to(PAGE.parents[2])}")


if __name__ == "__main__":
    main()

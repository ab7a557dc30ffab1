"""Show: the demo's table, side by side, and the honest sentence below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from linnet.cli.demo.play import Exchange
from linnet.cli.demo.verdict import Verdict

_BYTES_A_LINE = 8
_BYTES_INSIDE = 16

SHOWS = (
    "What this shows: a server running this code stored none of the text of these messages, only "
    "ciphertext, and who wrote to whom, in which group, when and how much; what it does not show "
    "is that nobody sits between them (a malicious operator is detected only by comparing safety "
    "numbers), nor that the code is right, which nobody has audited."
)


def show(console: Console, said: Sequence[Exchange], verdict: Verdict) -> None:
    """Print everything there is to see."""
    table = Table(show_lines=True, expand=True)
    table.add_column("typed", ratio=3)
    table.add_column("kept by the server", no_wrap=True, style="yellow")
    table.add_column("read", ratio=3)
    table.add_column("ticks", no_wrap=True)
    for one in said:
        table.add_row(
            f"[bold]{one.writer}[/]\n{escape(one.typed)}",
            _dump(one.kept),
            f"[bold]{' and '.join(one.readers)}[/]{', after coming back' if one.away else ''}\n"
            + escape("\n".join(dict.fromkeys(it or "[nothing readable]" for it in one.read))),
            _ticks(one),
        )
    console.print(table)
    console.print(_searched(verdict))
    console.print(SHOWS)


def _dump(kept: Sequence[bytes]) -> str:
    """Bytes as they are in the database: the start, which names keys, and a piece of what it
    hides; and how many there are."""
    if not kept:
        return "nothing"
    start, middle = kept[0][:_BYTES_A_LINE], kept[0][len(kept[0]) // 2 :][:_BYTES_INSIDE]
    inside = [middle[at : at + _BYTES_A_LINE] for at in range(0, len(middle), _BYTES_A_LINE)]
    shown = [start.hex(" "), "…", *(line.hex(" ") for line in inside)]
    return "\n".join([*shown, f"… {sum(map(len, kept)):,} bytes"])


def _ticks(one: Exchange) -> str:
    sent = f"✓  {one.sent_ms:,.0f} ms"
    if one.delivered_ms is None:
        return sent
    return f"{sent}\n✓✓ " + ("when back" if one.away else f"{one.delivered_ms:,.0f} ms")


def _searched(verdict: Verdict) -> str:
    size = f"{verdict.server_bytes_searched / 1e6:.1f} MB"
    if verdict.plaintext_found:
        return f"[bold red]Searched {size} that the server wrote: something typed IS in it.[/]"
    return (
        f"[green]Searched {size} that the server wrote for everything typed "
        "(as it is, in hex, base64, UTF-16): not there.[/]"
    )

"""App: the commands, and the order in which `linnet --help` lists them."""

from __future__ import annotations

import typer

from linnet.cli.bench import bench
from linnet.cli.chat.arguments import chat
from linnet.cli.demo.arguments import demo
from linnet.cli.devices.approve import approve
from linnet.cli.devices.devices import devices
from linnet.cli.devices.link import link
from linnet.cli.devices.recover import recover
from linnet.cli.group.group import group
from linnet.cli.listen import listen
from linnet.cli.register import register
from linnet.cli.safety import safety
from linnet.cli.sealed import sealed
from linnet.cli.send import send
from linnet.cli.serve import serve

app = typer.Typer(
    name="linnet",
    help="A private messenger you run yourself. Start with `linnet demo`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(serve)
app.command()(register)
app.command()(send)
app.command()(listen)
app.command()(chat)
app.add_typer(group, name="group")
app.command()(safety)
app.command()(sealed)
app.command()(link)
app.command()(approve)
app.add_typer(devices, name="devices")
app.command()(recover)
app.add_typer(bench, name="bench")

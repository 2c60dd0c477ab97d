"""`flowd kerberos`: the ticket of this machine's tasks, renewed until told to stop, or once."""

import asyncio
import os
from typing import Annotated

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption
from flowd.cli.output import Format, show_one
from flowd.cli.run import run_node
from flowd.cli.session import read_settings

app = new_app()


@app.command()
def kerberos(
    principal: Annotated[str | None, typer.Argument(help="Whom the ticket is for.")] = None,
    keytab: Annotated[str | None, typer.Option("--keytab", "-k", help="The file with the principal's key.")] = None,
    one_time: Annotated[bool, typer.Option("--one-time", help="Renew it now, show it, and end.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run a node with the kerberos role; with --one-time, only renew this machine's ticket and show it."""
    flags: dict[str, object] = {"kerberos.principal": principal, "kerberos.keytab": keytab}
    if one_time:
        _renew(flags, output)
    else:
        run_node({"node.roles": "kerberos", **flags})


def _renew(flags: dict[str, object], output: Format) -> None:
    from flowd.node.kerberos import make_kinit
    from flowd.settings.load import Keys

    settings = read_settings(flags, Keys.OPTIONAL).kerberos
    ticket = asyncio.run(make_kinit(settings, os.environ).renew())
    row = {
        "principal": ticket.principal,
        "starts_at": ticket.starts_at.isoformat(),
        "ends_at": ticket.ends_at.isoformat(),
        "ccache": str(settings.ccache),
    }
    show_one(row, output)

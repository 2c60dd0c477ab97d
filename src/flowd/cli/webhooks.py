"""`flowd webhooks`: what other systems trigger DAGs with."""

from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OrderOption, OutputOption, YesOption, confirm, duration_of
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.session import with_secrets

app = new_app("Webhooks: what other systems trigger DAGs with.")

COLUMNS = ("name", "dag_id", "scheme", "deliveries_per_minute", "created_at", "rotated_at")

NameArgument = Annotated[str, typer.Argument(help="The webhook.")]


@app.command("list")
def list_webhooks(order_by: OrderOption = None, limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show the webhooks; their secrets are shown to nobody."""
    rows = api().listed("GET /api/v2/webhooks", "webhooks", limit=limit, query={"order_by": order_by})
    show_rows(rows, COLUMNS, output, empty="No webhooks: `flowd webhooks create` makes one.")


@app.command()
def show(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show a webhook."""
    show_one(api().call("GET /api/v2/webhooks/{webhook_name}", webhook_name=name), output)


@app.command()
def create(
    name: NameArgument,
    dag_id: Annotated[str, typer.Argument(help="The DAG that it triggers.")],
    scheme: Annotated[str, typer.Option("--scheme", help="How its sender signs: standard, stripe or github.")] = (
        "standard"
    ),
    rate: Annotated[int, typer.Option("--rate", help="How many deliveries are taken a minute, of each API.")] = 60,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a webhook and show its secret, this once. Deliveries go to /webhooks/NAME."""
    body = {"name": name, "dag_id": dag_id, "scheme": scheme, "deliveries_per_minute": rate}
    show_one(api().call("POST /api/v2/webhooks", body=body), output)


@app.command("new-secret")
def new_secret(
    name: NameArgument,
    overlap: Annotated[str, typer.Option("--overlap", help="How long the old one is good as well, as 1h.")] = "0s",
    output: OutputOption = Format.TABLE,
) -> None:
    """Give a webhook another secret, and show it, this once."""
    body = {"overlap_seconds": round(duration_of(overlap, "--overlap").total_seconds())}
    show_one(api().call("POST /api/v2/webhooks/{webhook_name}/rotate", body=body, webhook_name=name), output)


@app.command()
def delete(name: NameArgument, yes: YesOption = False) -> None:
    """Refuse the deliveries of a webhook from now on."""
    confirm(f"Delete webhook {name}?", yes)
    api().call("DELETE /api/v2/webhooks/{webhook_name}", webhook_name=name)
    note(f"Webhook {name} is deleted.")


@app.command()
def rotate() -> None:
    """Encrypt every secret anew with the first of FLOWD__SECURITY__FERNET_KEY, where the keys are."""
    from flowd.db.webhooks import Webhooks
    from flowd.security.vault import Vault

    count = with_secrets(lambda settings, metastore: Webhooks(metastore, Vault(settings.security.fernet_keys)).reseal())
    note(f"The secrets of {count} webhooks are encrypted with the first key.")

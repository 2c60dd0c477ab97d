"""`flowd config`: what this node is told, and from where."""

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.client.target import chosen_server
from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.session import read_settings, read_settings_without_keys
from flowd.domain.errors import InvalidInput, InvalidSettings, NotFound

if TYPE_CHECKING:
    from flowd.settings.catalogue import SettingInfo
    from flowd.settings.model import Settings

app = new_app("What this node is told, and from where.")


class ConfigFormat(StrEnum):
    """As for any data, or the text of a config/flowd.toml."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    PLAIN = "plain"
    TOML = "toml"


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As worker.lease, or FLOWD__WORKER__LEASE.")]


@app.command("list")
def list_settings(
    show_sources: Annotated[bool, typer.Option("--show-sources", help="Where each value came from.")] = False,
    defaults: Annotated[bool, typer.Option("--defaults", help="The defaults, not what is set.")] = False,
    output: Annotated[ConfigFormat, typer.Option("--output", "-o", help="How to print them.")] = ConfigFormat.TABLE,
) -> None:
    """Show every setting of this machine, or of the server that the commands go to. Secrets are hidden."""
    if (server := chosen_server()) is not None and not defaults:
        rows = [
            {"name": f"{section['name']}.{option['key']}", "value": option["value"], "source": server.url}
            for section in api().call("GET /api/v2/config")["sections"]
            for option in section["options"]
        ]
        show_rows(rows, ("name", "value", "source") if show_sources else ("name", "value"), Format(output.value))
        return
    from flowd.settings.catalogue import catalogue, shown
    from flowd.settings.document import defaults_toml

    if output is ConfigFormat.TOML:
        if not defaults:
            raise InvalidInput("-o toml writes the defaults only; add --defaults")
        print(defaults_toml(), end="")
        return
    if defaults:
        rows = [{"name": name, "value": info.default, "source": "default"} for name, info in catalogue().items()]
    else:
        settings = read_settings_without_keys()
        sources = settings.sources()
        rows = [{"name": name, "value": shown(settings, name), "source": sources[name]} for name in catalogue()]
    show_rows(rows, ("name", "value", "source") if show_sources else ("name", "value"), Format(output.value))


@app.command()
def get(name: NameArgument) -> None:
    """Print the value of one setting. A secret is hidden."""
    from flowd.settings.catalogue import shown

    info = _find(name)
    if chosen_server() is None:
        print(shown(read_settings_without_keys(), info.name))
        return
    section, _, key = info.name.partition(".")
    found = api().call("GET /api/v2/config/section/{section}/option/{option}", section=section, option=key)
    print(found["sections"][0]["options"][0]["value"])


@app.command("get-value", hidden=True)
def get_value(section: Annotated[str, typer.Argument()], key: Annotated[str, typer.Argument()]) -> None:
    """As `flowd config get SECTION.KEY`, in Airflow's words."""
    get(f"{section}.{key}")


@app.command()
def explain(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show what a setting is for, its variable and its default."""
    info = _find(name)
    row = {"name": info.name, "variable": info.variable, "default": info.default, "meaning": info.description}
    if info.is_secret:
        row["file"] = f"{info.variable}_FILE names a file that holds it"
    show_one(row, output)


@app.command()
def lint() -> None:
    """Check the whole configuration: exit code 0 if a node can start with it, 78 if not. Nothing is started or made."""
    from flowd.settings.load import Keys, report

    if problems := list(_unusable_backends(read_settings(keys=Keys.CHECK))):
        raise InvalidSettings(report(problems))
    note("The configuration has no problems.")


def _unusable_backends(settings: "Settings") -> Iterator[str]:
    """What opening the metastore and the queue would refuse before it sends anything."""
    from flowd.db.metastore_url import normalise
    from flowd.node.brokers import make_broker_queue
    from flowd.queue.message import SigningKeys

    try:
        normalise(settings.database.url.get_secret_value())
    except InvalidInput as error:
        yield f"FLOWD__DATABASE__URL: {error}"
    if not settings.queue.is_embedded:
        try:
            make_broker_queue(settings.queue, SigningKeys.from_secrets(settings.security.secret_keys))
        except InvalidSettings as error:
            yield str(error)


def _find(name: str) -> "SettingInfo":
    from difflib import get_close_matches

    from flowd.settings.catalogue import catalogue

    for info in catalogue().values():
        if name.lower() == info.name or name.upper() == info.variable:
            return info
    nearest = get_close_matches(name.lower(), list(catalogue()), n=1)
    raise NotFound(
        f"there is no setting {name!r}; "
        + (f"did you mean {nearest[0]}?" if nearest else "`flowd config list` has all")
    )

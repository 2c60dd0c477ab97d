"""FileSecrets: JSON, YAML and .env files, as Airflow's LocalFilesystemBackend reads them."""

import json
import os
from pathlib import Path

import pytest

from flowd.domain.errors import InvalidSettings
from flowd.secret_backends.base import SecretsUnavailable
from flowd.secret_backends.files import FileSecrets

OBJECT = {"conn_type": "http", "host": "h", "extra_dejson": {"a": 1}}
FILES = {
    "s.json": json.dumps({"plain": "v", "rows": {"a": [1]}, "db": "http://h/", "api": OBJECT, "one": ["http://o/"]}),
    "s.yaml": "plain: v\nrows: {a: [1]}\ndb: http://h/\napi: {conn_type: http, host: h, extra_dejson: {a: 1}}\n"
    "one:\n  - http://o/\n",
    "s.env": '# ours\n\nplain=v\nrows={"a": [1]}\ndb=http://h/\none=http://o/\n',
}


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", FILES)
async def test_variables_and_connections_are_read_from_each_kind_of_file(tmp_path: Path, name: str) -> None:
    path = file(tmp_path, name, FILES[name])
    secrets = FileSecrets(variables=path, connections=path if name == "s.env" else None)
    if name != "s.env":
        whole = json.loads(FILES["s.json"])
        kept = {key: whole[key] for key in ("db", "api", "one")}
        text = json.dumps(kept) if name == "s.json" else FILES[name].partition("\n")[2].partition("\n")[2]
        secrets = FileSecrets(variables=path, connections=file(tmp_path, f"c{name}", text))

    async with secrets.open():
        assert await secrets.variable("plain") == "v"
        assert json.loads(await secrets.variable("rows") or "") == {"a": [1]}
        assert (await secrets.connection("db"), await secrets.connection("one")) == ("http://h/", "http://o/")
        assert await secrets.variable("nowhere") is None and await secrets.connection("nowhere") is None
        if name != "s.env":
            found = json.loads(await secrets.connection("api") or "")
            assert found == {"conn_type": "http", "host": "h", "extra": {"a": 1}}


async def test_a_file_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    path = file(tmp_path, "v.env", "a=1\n")
    secrets = FileSecrets(variables=path, connections=None)
    async with secrets.open():
        assert await secrets.variable("a") == "1"

        os.replace(file(tmp_path, "new.env", "a=2\n"), path)

        assert await secrets.variable("a") == "2"
        path.unlink()
        with pytest.raises(SecretsUnavailable, match="cannot be read: No such file"):
            await secrets.variable("a")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.txt", "a=1", "is named as no kind that is read; wanted .json, .yaml, .yml or .env"),
        ("c.env", "a=http://CANARY/\nCANARY", "line 2 is not as wanted: NAME=VALUE"),
        ("c.env", "a=CANARY\na=CANARY", "line 2 gives 'a' a second time"),
        ("c.json", '{"a": "CANARY"\n', "line 2 is no JSON"),
        ("c.json", '["CANARY"]', "holds list; wanted an object"),
        ("c.yaml", "a: b\n  CANARY: [", "line 2 is no YAML"),
        ("c.json", '{"a": 1}', "connection 'a' is neither a URI nor an object"),
        ("c.json", '{"a": {"conn_id": "b"}}', "connection 'a' calls itself 'b'"),
        ("c.json", '{"a": {"extra": "{}", "extra_dejson": {}}}', "has an extra and an extra_dejson"),
    ],
)
async def test_what_cannot_be_read_is_told_at_the_start_and_not_shown(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    secrets = FileSecrets(variables=None, connections=file(tmp_path, name, text))

    with pytest.raises(InvalidSettings, match=message) as raised:
        async with secrets.open():
            pass

    assert "CANARY" not in str(raised.value)

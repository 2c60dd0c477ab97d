"""Logins: the tokens that `flowd login` has got, one for each server, in a file that only its owner can read."""

import json
import os
from pathlib import Path
from typing import Any

from flowd.domain.errors import InvalidInput

DEFAULT_HOME = "~/.flowd"
FILE = "logins.json"


def current() -> str | None:
    """Return the server of the last login, None where there is none."""
    url = _read().get("current")
    return url if isinstance(url, str) else None


def token_of(url: str) -> str | None:
    """Return the token for a server, None where nobody has logged in there."""
    token = _tokens(_read()).get(url)
    return token if isinstance(token, str) else None


def keep(url: str, token: str) -> None:
    """Keep the token for a server, to which commands go from now on."""
    document = _read()
    _write({"current": url, "tokens": {**_tokens(document), url: token}})


def forget(url: str) -> bool:
    """Forget the token for a server, and go there no more; return whether there was one."""
    document = _read()
    tokens = _tokens(document)
    had_one = tokens.pop(url, None) is not None
    now = document.get("current")
    _write({"current": None if now == url else now, "tokens": tokens})
    return had_one


def _path() -> Path:
    return Path(os.environ.get("FLOWD_HOME") or DEFAULT_HOME).expanduser() / FILE


def _tokens(document: dict[str, Any]) -> dict[str, Any]:
    tokens = document.get("tokens")
    return dict(tokens) if isinstance(tokens, dict) else {}


def _read() -> dict[str, Any]:
    path = _path()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path} cannot be read ({error}); remove it and log in again with: flowd login URL"
        ) from error
    return document if isinstance(document, dict) else {}


def _write(document: dict[str, Any]) -> None:
    import tempfile

    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    # A new file (mode 600) takes the place of the old one: whoever reads sees all of one or all of the other.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=FILE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
    os.replace(name, path)

"""The secrets that a node alone on its machine makes up for itself, kept in $FLOWD_HOME/secrets.toml."""

import os
import secrets
import tomllib
from base64 import urlsafe_b64encode
from pathlib import Path

from flowd.domain.errors import InvalidSettings

FILE_NAME = "secrets.toml"
_HEAD = "# Made by flowd for this node alone. Whoever reads this can forge logins and read stored passwords.\n"


def read_secrets(home: Path) -> dict[str, str]:
    """Return the secrets made up before, by setting name; empty where there are none yet."""
    path = home / FILE_NAME
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))["security"]
        return {f"security.{key}": str(value) for key, value in values.items()}
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, AttributeError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(
            f"{path} cannot be read ({error}); put it back from a backup, or delete it: what it encrypted is lost then"
        ) from error


def make_secrets(home: Path) -> dict[str, str]:
    """Return this node's secrets, made up and written (mode 0600) where there are none."""
    path = home / FILE_NAME
    try:
        if not path.exists():
            _make(home, path)
    except OSError as error:
        raise InvalidSettings(
            f"$FLOWD_HOME is {home}, and nothing can be written there ({error.strerror}); give a folder of your own"
        ) from error
    return read_secrets(home)


def _make(home: Path, path: Path) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = home / f".{FILE_NAME}.{secrets.token_hex(8)}"
    draft.touch(mode=0o600)
    try:
        fernet_key = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        text = f'{_HEAD}[security]\nsecret_key = "{secrets.token_hex(32)}"\nfernet_key = "{fernet_key}"\n'
        draft.write_text(text, encoding="utf-8")
        # A link never replaces a file: where two processes start at once, both go on with the first one's secrets.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()

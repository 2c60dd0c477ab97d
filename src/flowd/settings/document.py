"""The settings as a TOML file: every one with its meaning and default, commented out."""

import json
from textwrap import wrap

from flowd.settings.catalogue import catalogue, sections

_HEAD = """\
# Every setting of flowd with its default, made by `flowd config list --defaults -o toml`.
# A flag comes before an environment variable (FLOWD__SECTION__KEY), that before FLOWD__SECTION__KEY_FILE (secrets),
# that before .env, and that before this file, which is read from config/flowd.toml or $FLOWD_CONFIG.
# $FLOWD_HOME (default ~/.flowd) holds state, the SQLite file, logs and cached bundles.
"""
_WIDTH = 118
_BARE = ("true", "false")


def defaults_toml() -> str:
    """Return the text of config/flowd.toml."""
    parts = [_HEAD]
    for section, kind in sections().items():
        parts.append(f"\n[{section}]  # {kind.__doc__}\n")
        for info in catalogue().values():
            if info.section == section:
                parts += [f"# {line}\n" for line in wrap(info.description, _WIDTH)]
                parts.append(f"# {info.key} = {_literal(info.default)}\n")
    return "".join(parts)


def _literal(default: str) -> str:
    return default if default in _BARE or default.isdecimal() else json.dumps(default)

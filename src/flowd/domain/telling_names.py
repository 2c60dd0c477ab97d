"""Which names tell that the value behind them is a secret: of variables, and of keys in extras and mappings."""

import re

_TELLING = re.compile(
    r"access_token|api_?key|authorization|credential|passphrase|passwd|password|private_key|secret|token|keyfile_dict|service_account",
    re.IGNORECASE,
)


def sounds_secret(name: str) -> bool:
    """Return True for a name whose value nobody should read: what it holds is masked wherever it comes up."""
    return bool(_TELLING.search(name))


def may_be_secret(name: str) -> bool:
    """Return True also for any kind of key: its value is hidden where it stands, but is too common a word elsewhere."""
    return sounds_secret(name) or "key" in name.lower()

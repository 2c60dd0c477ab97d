"""Text from outside, made such that every metastore can hold it."""


def storable(text: str) -> str:
    r"""Return `text` with what no metastore can hold shown as an escape: NUL as \x00, half a character as \udcff."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")

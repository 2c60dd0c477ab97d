"""local_path: where a form may send a browser on to."""


def local_path(path: str) -> str:
    """Return the path, or / where it would lead to another site."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local else "/"

"""What is said where a server does not answer."""


def unreachable(server: str, variable: str, error: BaseException) -> SystemExit:
    """Return the end of the bench: which server, why, and what to do."""
    return SystemExit(
        f"bench: {server} does not answer ({type(error).__name__}: {error}); run `make services`, or set {variable} to"
        " a server that does, or measure --backend sqlite alone"
    )

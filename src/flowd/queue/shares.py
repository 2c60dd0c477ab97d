"""Shares: how the free slots of a worker are divided among the queues it takes from."""


def shares(free: int, queues: int) -> list[int]:
    """Divide `free` slots among `queues`, at least one each; with fewer slots than queues the surplus is given back."""
    least, more = divmod(free, queues)
    return [max(1, least + (index < more)) for index in range(queues)]

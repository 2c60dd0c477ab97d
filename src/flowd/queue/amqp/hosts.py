"""Hosts: in which order a link tries the hosts of a broker."""

import random
from collections.abc import Iterator, Sequence


class Hosts:
    """The URLs of one broker's hosts. Whoever failed last comes last, so a dead host is not asked before a live one.

    The first order is random: the nodes of a cluster spread over the hosts of their broker.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = random.sample(urls, len(urls))

    def __len__(self) -> int:
        return len(self._urls)

    def __iter__(self) -> Iterator[str]:
        """Give each host once, in the order that holds now."""
        return iter(tuple(self._urls))

    def failed(self, url: str) -> None:
        """Put `url` behind the others: it could not be reached, or its connection was lost."""
        self._urls.remove(url)
        self._urls.append(url)

"""LogMask: puts stars in the place of secrets."""

import re

STARS = b"***"
SHORTEST = 4


class LogMask:
    """The secrets of one attempt. A secret of several lines is masked line by line, for a log has lines."""

    def __init__(self) -> None:
        self._secrets: set[bytes] = set()
        self._pattern: re.Pattern[bytes] | None = None

    @property
    def longest(self) -> int:
        """The length of the longest secret; 0 while there is none."""
        return max(map(len, self._secrets), default=0)

    def add(self, secret: str) -> None:
        """Mask this text from now on; a line of it that is shorter than SHORTEST is not masked."""
        lines = (line.strip() for line in secret.encode(errors="surrogateescape").splitlines())
        self._secrets.update(line for line in lines if len(line) >= SHORTEST)
        # The longest first: a secret that contains another one must not leave its rest behind.
        ordered = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, ordered))) if ordered else None

    def apply(self, text: bytes) -> bytes:
        """Return `text` with stars for every secret."""
        return text if self._pattern is None else self._pattern.sub(STARS, text)

"""Lane: one direction of a wire, and what becomes of the bytes in it."""

import asyncio


class Lane:
    """Holds bytes back, delays them, alters one, or ends after so many; in good health it passes them on at once."""

    def __init__(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._left: int | None = None
        self._until_flip: int | None = None
        self.delay_seconds = 0.0

    @property
    def is_flowing(self) -> bool:
        """False while bytes are held back."""
        return self._flowing.is_set()

    def hold(self) -> None:
        """Pass no more bytes on until `heal`, or until somebody frees what is held back."""
        self._flowing.clear()

    def release(self) -> None:
        """Pass on what was held back."""
        self._flowing.set()

    def end_after(self, count: int) -> None:
        """Break the connection on which the byte number `count` from now comes, counted over all."""
        self._left = count

    def flip_after(self, count: int) -> None:
        """Turn one bit of the byte number `count` from now, counted over all."""
        self._until_flip = count

    def heal(self) -> None:
        """Do no more harm."""
        self._left = self._until_flip = None
        self.delay_seconds = 0.0
        self.release()

    async def passed(self, chunk: bytes) -> tuple[bytes, bool]:
        """Return what comes out at the other end, and whether the connection breaks behind it."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self._flowing.wait()
        chunk = self._altered(chunk)
        if self._left is None:
            return chunk, False
        kept, self._left = chunk[: self._left], self._left - len(chunk)
        if self._left > 0:
            return kept, False
        self._left = None
        return kept, True

    def _altered(self, chunk: bytes) -> bytes:
        if self._until_flip is None:
            return chunk
        at, self._until_flip = self._until_flip, self._until_flip - len(chunk)
        if self._until_flip > 0:
            return chunk
        self._until_flip = None
        at = max(0, at - 1)
        return chunk[:at] + bytes([chunk[at] ^ 0x10]) + chunk[at + 1 :]

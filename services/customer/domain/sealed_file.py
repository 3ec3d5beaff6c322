"""A file nobody reads without its key: AES-256-GCM block by block, readable from any place in it.

Each block is bound to its number and to whether it is the last one: blocks cannot be swapped and the end
cannot be cut off unnoticed.
"""

import io
import os
from typing import TYPE_CHECKING, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 256 * 1024
_NONCE = 12
_EXTRA = _NONCE + 16


class BrokenFileError(OSError):
    """The file was changed, cut, or sealed with another key."""


class SealedWriter:
    """Seals what is written into `file`; `finish` writes the last block."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._file = file
        self._sealer = AESGCM(key)
        self._rest = bytearray()
        self._number = 0
        self.size = 0
        """Bytes taken so far."""

    def write(self, data: bytes) -> None:
        self._rest += data
        self.size += len(data)
        # One block stays back: only `finish` knows the last one.
        while len(self._rest) > BLOCK:
            self._seal(bytes(self._rest[:BLOCK]), last=False)
            del self._rest[:BLOCK]

    def finish(self) -> None:
        self._seal(bytes(self._rest), last=True)
        self._rest.clear()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        nonce = os.urandom(_NONCE)
        self._file.write(nonce + self._sealer.encrypt(nonce, plain, _bound(self._number, last=last)))
        self._number += 1


class SealedReader(io.RawIOBase):
    """The plain bytes of a sealed file, seekable; closes `file` with itself."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        super().__init__()
        self._file = file
        self._sealer = AESGCM(key)
        stored = file.seek(0, os.SEEK_END)
        self._blocks = max(-(-stored // (BLOCK + _EXTRA)), 1)
        self.size = stored - self._blocks * _EXTRA
        self._place = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """As asked, shorter only at the end."""
        end = self.size if size is None or size < 0 else min(self._place + size, self.size)
        parts = []
        while self._place < end:
            number, start = divmod(self._place, BLOCK)
            part = self._block(number)[start : start + end - self._place]
            parts.append(part)
            self._place += len(part)
        return b"".join(parts)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _block(self, number: int) -> bytes:
        if self._held[0] != number:
            self._file.seek(number * (BLOCK + _EXTRA))
            stored = self._file.read(BLOCK + _EXTRA)
            bound = _bound(number, last=number == self._blocks - 1)
            try:
                plain = self._sealer.decrypt(stored[:_NONCE], stored[_NONCE:], bound)
            except (InvalidTag, ValueError) as error:
                raise BrokenFileError("the kept file is damaged") from error
            self._held = (number, plain)
        return self._held[1]


def _bound(number: int, *, last: bool) -> bytes:
    return number.to_bytes(8, "big") + (b"\1" if last else b"\0")

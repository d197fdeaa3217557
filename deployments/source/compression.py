"""What a compressed file unpacks to, read in order and up to the limits."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from deployments.source.rules import Limits, SourceRefused, in_words

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

RATIO_COUNTS_ABOVE = 64 * 1024**2
BUFFER = 1024**2
# What `zstd -19` uses is an eighth of this; what unpacks it has to hold as much in memory.
MAX_WINDOW = 64 * 1024**2

GZIP, BZIP2, ZSTD = b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd"
COMPRESSED = (GZIP, BZIP2, ZSTD)

BROKEN = (gzip.BadGzipFile, zlib.error, zstandard.ZstdError, EOFError, ValueError)


@contextmanager
def unpacked(file: Path, limits: Limits) -> Iterator[BinaryIO]:
    """The content of a file that is compressed, in several pieces too, or is not.

    Reading raises SourceRefused above the limits, and one of BROKEN.
    """
    with (
        file.open("rb") as packed,
        _opened(packed) as opened,
        io.BufferedReader(_Bounded(packed, opened, limits), BUFFER) as stream,
    ):
        yield cast(BinaryIO, stream)


def _opened(packed: BinaryIO) -> BinaryIO:
    beginning = packed.read(4)
    packed.seek(0)
    if beginning.startswith(GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=packed))
    if beginning.startswith(BZIP2):
        return cast(BinaryIO, bz2.BZ2File(packed))
    if beginning.startswith(ZSTD):
        return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
            packed, read_across_frames=True, closefd=False
        )
    return packed


class _Bounded(io.RawIOBase):
    def __init__(self, packed: BinaryIO, opened: BinaryIO, limits: Limits) -> None:
        self.packed, self.opened, self.limits = packed, opened, limits
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        try:
            chunk = self.opened.read(len(view))
        except OSError as error:
            # bz2 says so of what it cannot read.
            raise ValueError(str(error)) from error
        view[: len(chunk)] = chunk
        self.bytes += len(chunk)
        self._judge()
        return len(chunk)

    def _judge(self) -> None:
        limits = self.limits
        # Headers and padding are a block and a half a file.
        if self.bytes > limits.total_bytes + limits.files * 1024:
            raise SourceRefused(
                f"it unpacks to more than {in_words(limits.total_bytes)}; split the site."
            )
        if self.bytes > max(RATIO_COUNTS_ABOVE, limits.ratio * self.packed.tell()):
            raise SourceRefused(
                f"it unpacks to over {limits.ratio} times its size, as archives made to fill disks "
                "do; deploy the folder instead."
            )

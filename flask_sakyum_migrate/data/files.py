"""Files that only their owner reads, there as a whole or not at all, compressed by their ending."""

from __future__ import annotations

import gzip
import importlib
import io
import os
import sys
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import ConfigError, DataError

Place = str | os.PathLike[str] | BinaryIO
"""A path, or a binary file that is open."""
_STDIN = "stdin"
_UNNAMED = "The input"


@contextmanager
def writing(place: Place) -> Iterator[BinaryIO]:
    """Open a file to write a dump; it takes the place of another one when it is whole.

    :param place: a path ending in ``.gz`` or ``.zst`` is compressed.
    :raises DataError: the file cannot be written.
    """
    if not isinstance(place, str | os.PathLike):
        with _writable(name_of(place)):
            yield place
            place.flush()
        return
    path = Path(place)
    with _writable(str(path)):
        yield from _written(path)


@contextmanager
def _writable(name: str) -> Iterator[None]:
    """Say in words why a file cannot be written; a pipe that closes is no failure of the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"{name} cannot be written: {error.strerror or error}.") from error


def _written(path: Path) -> Iterator[BinaryIO]:
    if path.is_dir():
        raise DataError(f"{path} is a folder.", f"Name a file in it:  {path / 'dump.jsonl'}")
    wrap = _compressor(path)
    if path.exists() and not path.is_file():  # a pipe, a terminal
        with path.open("wb") as raw, wrap(raw) as file:
            yield file
        return
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with wrap(raw) as file:
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def reading(place: Place) -> Iterator[BinaryIO]:
    """Open a dump; what it is compressed with, its first bytes say.

    :raises DataError: there is no such file, or it cannot be read.
    """
    name = name_of(place)
    if not isinstance(place, str | os.PathLike):
        with _plain(place, name) as file, _in_words(name):
            yield file
        return
    path = Path(place)
    if path.is_dir():
        raise DataError(f"{path} is a folder.", "Name the file:  flask db load FILE")
    try:
        raw = path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    with raw, _plain(raw, name) as file, _in_words(name):
        yield file


def name_of(place: Place) -> str:
    """Return how a message names a file."""
    if isinstance(place, str | os.PathLike):
        return str(place)
    name = getattr(place, "name", "")
    return name.strip("<>") if isinstance(name, str) and name else _UNNAMED


def as_typed(name: str) -> str:
    """Return what a person types for a file that `name_of` named."""
    return "-" if name in (_STDIN, _UNNAMED) else name


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not isinstance(error, (EOFError, gzip.BadGzipFile, zlib.error, *_zstd_errors())):
            raise
        raise DataError(
            f"{name} is compressed, and not whole: {error}. Nothing was loaded.",
            "Was it cut off while it was copied? Copy it again.",
        ) from error


@contextmanager
def _plain(raw: BinaryIO, name: str) -> Iterator[BinaryIO]:
    buffered = raw if hasattr(raw, "peek") else io.BufferedReader(cast(Any, raw))
    start = cast(Any, buffered).peek(4)[:4]
    if start.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=buffered) as unzipped:
            yield cast(BinaryIO, io.BufferedReader(unzipped, 1 << 18))
    elif start == b"\x28\xb5\x2f\xfd":
        with _zstd_reader(buffered, name) as plain:
            yield plain
    else:
        yield buffered


def _compressor(path: Path) -> Any:
    if path.suffix == ".gz":
        return lambda raw: gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0)
    if path.suffix in (".zst", ".zstd"):
        module = _zstd(str(path))
        if hasattr(module, "ZstdFile"):
            return lambda raw: module.ZstdFile(raw, "w")
        return lambda raw: module.ZstdCompressor().stream_writer(raw, closefd=False)
    return _same


@contextmanager
def _same(raw: BinaryIO) -> Iterator[BinaryIO]:
    yield raw


def _zstd_reader(raw: Any, name: str) -> Any:
    module = _zstd(name)
    if hasattr(module, "ZstdFile"):
        return module.ZstdFile(raw)
    reader = module.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return io.BufferedReader(reader, 1 << 18)


def _zstd(name: str) -> Any:
    """Return the module for zstandard: Python 3.14 has one, before that it is a package."""
    name_of_module = "compression.zstd" if sys.version_info >= (3, 14) else "zstandard"
    try:
        return importlib.import_module(name_of_module)
    except ImportError as error:
        raise ConfigError(
            f"{name} is compressed with zstandard, and this Python cannot read or write that.",
            "Install it:  pip install 'flask-sakyum-migrate[zstd]'   (or use .gz)",
        ) from error


def _zstd_errors() -> tuple[type[Exception], ...]:
    modules = (sys.modules.get("zstandard"), sys.modules.get("compression.zstd"))
    return tuple(one.ZstdError for one in modules if one is not None)

"""Tensors by key in one file that is mapped into memory: opened at once, however many there are."""

import contextlib
import hashlib
import math
import os
import sqlite3
import warnings
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from glidn.errors import GlidnError
from glidn.files import write_error

# `bytes` is how features.bin was left: whoever finds it otherwise looks at all that is in it.
TABLES = """
CREATE TABLE IF NOT EXISTS tensors (key TEXT PRIMARY KEY, start INTEGER, shape TEXT, crc INTEGER);
CREATE TABLE IF NOT EXISTS digests (files TEXT PRIMARY KEY, digest TEXT);
CREATE TABLE IF NOT EXISTS bytes (one INTEGER PRIMARY KEY, size INTEGER, changed INTEGER);
"""
PATIENCE = 60.0  # seconds to wait for another process that writes
FLOAT = 4  # bytes


class Store:
    """float32 tensors in `folder`/features.bin; features.sqlite says where each of them is.

    A tensor's bytes are on the disk before its row is, so an interruption leaves bytes that nobody
    asks for, and never a row without them. Several processes may use a folder at once. What is
    read stays on the disk until it is looked at, and can be more than fits into memory.

    Checksums are compared when the file is not as it was left, and not at every opening: damage
    that leaves size and time of change alone goes unnoticed.

    Raises:
        GlidnError: from every method: the disk is full, or the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "features.bin"
        self._mapped: Tensor | None = None

    def get(self, key: str) -> Tensor | None:
        """The tensor of that key, mapped; None where there is none."""
        row = self._ask("SELECT start, shape FROM tensors WHERE key = ?", key)
        if row is None:
            return None
        start, shape = int(row[0]), _shape(row[1])
        end = start + math.prod(shape)
        return self._map(end)[start:end].view(shape) if end > start else torch.empty(shape)

    def put(self, key: str, value: Tensor) -> None:
        """Keep a float32 tensor; an earlier one of that key is forgotten."""
        content = value.contiguous().numpy().tobytes()
        shape = " ".join(map(str, value.shape))
        with self._writing() as rows:
            start = self._append(content)
            row = (key, start, shape, zlib.crc32(content))
            rows.execute("INSERT OR REPLACE INTO tensors VALUES (?, ?, ?, ?)", row)
            rows.execute("INSERT OR REPLACE INTO bytes VALUES (0, ?, ?)", self._stat())

    def digest(self, paths: Sequence[Path]) -> str:
        """Changes with the content of any of the files.

        They are read once, and again when the size or the time of change of one is another.
        """
        stats = [(str(path.absolute()), path.stat()) for path in paths]
        files = _hashed(repr([(name, s.st_size, s.st_mtime_ns) for name, s in stats]).encode())
        row = self._ask("SELECT digest FROM digests WHERE files = ?", files)
        if row is not None:
            return str(row[0])
        found = _hashed(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths))
        with self._writing() as rows:
            rows.execute("INSERT OR REPLACE INTO digests VALUES (?, ?)", (files, found))
        return found

    @cached_property
    def _rows(self) -> sqlite3.Connection:
        path = self.folder / "features.sqlite"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return self._opened(path)
        except OSError as error:
            raise write_error(path, error) from error
        except sqlite3.OperationalError as error:
            raise GlidnError(f"{path} cannot be used ({error}); name another cache.") from error
        except sqlite3.DatabaseError as error:
            warnings.warn(
                f"the index of cached features {path} is damaged ({error}); they are computed "
                "again.",
                stacklevel=2,
            )
            for damaged in (path, self.path):
                damaged.unlink(missing_ok=True)
            return self._opened(path)

    def _opened(self, path: Path) -> sqlite3.Connection:
        # Of several threads one at a time uses it; sqlite3 would insist on the one that made it.
        rows = sqlite3.connect(path, PATIENCE, isolation_level=None, check_same_thread=False)
        rows.executescript(TABLES)
        rows.execute("BEGIN IMMEDIATE")  # nobody writes meanwhile
        left = rows.execute("SELECT size, changed FROM bytes").fetchone() or (0, 0)
        if left != self._stat():
            self._inspect(rows)
            rows.execute("INSERT OR REPLACE INTO bytes VALUES (0, ?, ?)", self._stat())
        rows.execute("COMMIT")
        return rows

    def _inspect(self, rows: sqlite3.Connection) -> None:
        """Forget the tensors whose bytes are not what they were."""
        size = self._stat()[0] // FLOAT
        lost = []
        for key, start, shape, crc in rows.execute("SELECT key, start, shape, crc FROM tensors"):
            end = start + math.prod(_shape(shape))
            if end > size or zlib.crc32(self._map(end)[start:end].numpy().tobytes()) != crc:
                lost.append((key,))
        rows.executemany("DELETE FROM tensors WHERE key = ?", lost)
        if lost:
            warnings.warn(
                f"{len(lost)} of the cached features in {self.path} are damaged and are computed "
                "again.",
                stacklevel=2,
            )

    def _ask(self, question: str, key: str) -> tuple | None:
        return self._rows.execute(question, (key,)).fetchone()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Alone among all processes, until the block ends."""
        rows = self._rows
        try:
            rows.execute("BEGIN IMMEDIATE")
            try:
                yield rows
            except BaseException:
                rows.execute("ROLLBACK")
                raise
            rows.execute("COMMIT")
        except OSError as error:
            raise write_error(self.path, error) from error
        except sqlite3.Error as error:
            raise GlidnError(f"{self.folder} cannot be written: {error}.") from error

    def _append(self, content: bytes) -> int:
        """Where it begins, in floats."""
        with self.path.open("ab") as file:
            # Whoever was interrupted may have left any number of bytes.
            file.write(b"\0" * (-file.tell() % FLOAT))
            start = file.tell() // FLOAT
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return start

    def _map(self, end: int) -> Tensor:
        """The file as floats, at least `end` of them."""
        if self._mapped is None or len(self._mapped) < end:
            size = self._stat()[0] // FLOAT
            # Private: what somebody might write into it would stay in memory.
            self._mapped = torch.from_file(str(self.path), shared=False, size=size)
        return self._mapped

    def _stat(self) -> tuple[int, int]:
        """Size and time of change of the file; zeros where there is none."""
        if not self.path.exists():
            return 0, 0
        found = self.path.stat()
        return found.st_size, found.st_mtime_ns


def _shape(text: str) -> list[int]:
    return [int(side) for side in text.split()]


def _hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]

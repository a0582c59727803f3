"""Tables on disk -> columns with line numbers; every oddity of the format is reported.

A table of boxes may have ten million rows. So tables are read in blocks, numbers become numbers at
once, and of the texts only the different ones are kept, with one code a row.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glidn.datasets.problems import Problem, Report, as_float, not_a_number
from glidn.errors import nearest

ROWS = 65_536  # of a block: enough that the loop over blocks costs nothing


@dataclass(frozen=True)
class Words:
    """A column of texts.

    Attributes:
        choices: the different texts, each of which some row holds, without spaces around.
        codes: (n,) int32: which of them each row holds.
    """

    choices: tuple[str, ...]
    codes: np.ndarray

    def __getitem__(self, row: int) -> str:
        return self.choices[self.codes[row]]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: (n,) float64; NaN where there is no finite number.
        odd: row -> the text that stands there instead; the other rows of NaN are empty.
    """

    values: np.ndarray
    odd: dict[int, str]


@dataclass(frozen=True)
class Columns:
    """The rows of a table that have as many values as the header.

    Attributes:
        file: the table's name, relative to the dataset's root.
        lines: (n,) int64: of each row, from 1, the header being the first; Parquet rows are
            counted alike.
        texts, figures: column name -> its rows; a column that may be absent is then empty in
            every row.
    """

    file: str
    lines: np.ndarray
    texts: dict[str, Words]
    figures: dict[str, Numbers]

    def __len__(self) -> int:
        return len(self.lines)

    def line(self, row: int) -> int:
        return int(self.lines[row])

    def words(self, name: str) -> list[str]:
        column = self.texts[name]
        return [column.choices[code] for code in column.codes.tolist()]

    def numbers(
        self, name: str, report: Report, whole: bool = False, may_be_empty: bool = False
    ) -> np.ndarray:
        """(n,) float64; NaN where the text was empty or no number, which has been reported."""
        column = self.figures[name]
        found = column.values.copy()
        wrong = np.isnan(found)
        if may_be_empty:
            wrong[:] = False
            wrong[list(column.odd)] = True
        if whole:
            wrong |= np.isfinite(found) & (found != np.floor(found))
        for row in np.flatnonzero(wrong).tolist():
            text = column.odd.get(row, "") if np.isnan(found[row]) else f"{found[row]:.15g}"
            report(not_a_number(self.file, self.line(row), name, text, whole))
        found[wrong] = np.nan
        return found

    def differ(self, row: int, other: int) -> bool:
        """Whether two rows differ in any value."""
        words = any(column[row] != column[other] for column in self.texts.values())
        return words or any(
            not np.array_equal(column.values[row], column.values[other], equal_nan=True)
            for column in self.figures.values()
        )


def from_rows(
    file: str,
    lines: Sequence[int],
    texts: Mapping[str, Sequence[str]],
    figures: Mapping[str, Sequence[float]],
) -> Columns:
    """Rows that came from another format, so that they go through the same checks as a table's."""
    return Columns(
        file,
        np.array(lines, np.int64),
        {name: _join_words([_words(column)]) for name, column in texts.items()},
        {name: Numbers(np.array(column, np.float64), {}) for name, column in figures.items()},
    )


class _NoTableError(Exception):
    """The file holds no table that can be used; the reason has been reported."""


def read_columns(
    path: Path,
    needed: tuple[str, ...],
    optional: tuple[str, ...],
    report: Report,
    *,
    numeric: Collection[str] = (),
    file: str | None = None,
) -> Columns | None:
    """Read .csv, .csv.gz or .parquet; None where a needed column or the whole file is missing.

    Columns beyond `needed` and `optional` are passed over: they are the user's own.

    Args:
        numeric: those of them that hold numbers.
        file: what errors call the file; default: its name.
    """
    names = (*needed, *optional)
    file = file or path.name

    def check(header: Sequence[str]) -> None:
        missing = [name for name in needed if name not in header]
        for name in missing:
            what = f"there is no column {name!r}{nearest(name, header)}"
            mend = f"The first line must name the columns {','.join(names)}"
            report(Problem(file, 1, what, mend))
        if missing:
            raise _NoTableError

    read = _parquet_blocks if path.suffix == ".parquet" else _csv_blocks
    lines: list[np.ndarray] = []
    texts: dict[str, list[Words]] = {name: [] for name in names if name not in numeric}
    figures: dict[str, list[Numbers]] = {name: [] for name in names if name in numeric}
    try:
        for block in read(path, file, texts, figures, check, report):
            lines.append(block.lines)
            for name, words in texts.items():
                words.append(block.texts[name])
            for name, numbers in figures.items():
                numbers.append(block.figures[name])
    except _NoTableError:
        return None
    # A column's blocks are let go before the next column is put together.
    return Columns(
        file,
        np.concatenate(lines or [np.zeros(0, np.int64)]),
        {name: _join_words(texts.pop(name)) for name in tuple(texts)},
        {name: _join_numbers(figures.pop(name)) for name in tuple(figures)},
    )


def read_text(path: Path, name: str, report: Report) -> str | None:
    """A whole text file, .gz unpacked, in any line ends; `name` is what errors call it."""
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        report(Problem(name, None, "this file is missing", "Put it there"))
    except (OSError, EOFError, zlib.error) as error:
        reason = f"this file cannot be read: {error}"
        report(Problem(name, None, reason, "It may be cut off: copy or download it again"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        report(Problem(name, line, "this is not UTF-8 text", "Save the file as UTF-8"))
    return None


Check = Callable[[Sequence[str]], None]


def _csv_blocks(
    path: Path,
    name: str,
    texts: Collection[str],
    figures: Collection[str],
    check: Check,
    report: Report,
) -> Iterator[Columns]:
    """The rows in blocks, once `check` has passed the header."""

    def block(rows: list[list[str]], lines: list[int]) -> Columns:
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        empty = ("",) * len(rows)
        return Columns(
            name,
            np.array(lines, np.int64),
            {column: _words(columns.get(column, empty)) for column in texts},
            {column: _numbers(columns.get(column, empty)) for column in figures},
        )

    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            try:
                for row in reader:
                    if not row:
                        continue
                    if not header:
                        header = [column.strip() for column in row]
                        check(header)
                    elif len(row) == len(header):
                        rows.append(row)
                        lines.append(reader.line_num)
                        if len(rows) == ROWS:
                            yield block(rows, lines)
                            rows, lines = [], []
                    else:
                        report(_uneven(name, reader.line_num, len(row), len(header)))
            except csv.Error as error:
                what = f"this is not CSV: {error}"
                report(Problem(name, reader.line_num, what, "Correct or remove the line"))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        # Read whole, which tells the line and the reason; nothing of the table is used.
        if read_text(path, name, report) is not None:
            report(Problem(name, None, f"this file cannot be read: {error}", "Try again"))
        raise _NoTableError from error
    if not header:
        what = "this file is empty"
        report(Problem(name, None, what, "Its first line must name the columns"))
        raise _NoTableError
    if rows:
        yield block(rows, lines)


def _uneven(file: str, line: int, values: int, columns: int) -> Problem:
    return Problem(
        file,
        line,
        f"there are {values} values, and the header names {columns} columns",
        "Give every row one value per column; a value with a comma in it needs "
        'quotes ("like, this")',
    )


def _parquet_blocks(
    path: Path,
    name: str,
    texts: Collection[str],
    figures: Collection[str],
    check: Check,
    report: Report,
) -> Iterator[Columns]:
    """As `_csv_blocks`; columns that are not asked for are not even read."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        mend = 'Install it with: pip install "glidn[parquet]", or save the table as boxes.csv.gz'
        report(Problem(name, None, "reading Parquet needs pyarrow", mend))
        raise _NoTableError from None
    first = 2
    try:
        header = parquet.read_schema(path).names
        check(header)
        wanted = [column for column in (*texts, *figures) if column in header]
        coded = [column for column in wanted if column in texts]
        with parquet.ParquetFile(path, read_dictionary=coded) as file:
            for batch in file.iter_batches(ROWS, columns=wanted):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                empty = pyarrow.nulls(batch.num_rows)
                yield Columns(
                    name,
                    np.arange(first, first + batch.num_rows),
                    {column: _arrow_words(columns.get(column, empty)) for column in texts},
                    {column: _arrow_numbers(columns.get(column, empty)) for column in figures},
                )
                first += batch.num_rows
    except (OSError, pyarrow.ArrowException) as error:
        what = f"this file cannot be read: {str(error).rstrip('.')}"
        report(Problem(name, None, what, "It may be cut off: copy or write it again"))
        raise _NoTableError from error


def _words(texts: Sequence[str]) -> Words:
    """One block's; its choices may repeat, to which `_join_words` sees."""
    number: dict[str, int] = {}
    codes = np.array([number.setdefault(text, len(number)) for text in texts], np.int32)
    return Words(tuple(text.strip() for text in number), codes)


def _numbers(texts: Sequence[str]) -> Numbers:
    try:
        values = np.array(list(map(float, texts)), np.float64)
    except ValueError:
        values = np.array([as_float(text) for text in texts], np.float64)
    odd = {row: texts[row].strip() for row in np.flatnonzero(~np.isfinite(values)).tolist()}
    values[list(odd)] = np.nan
    return Numbers(values, {row: text for row, text in odd.items() if text})


def _arrow_words(column: Any) -> Words:
    import pyarrow

    if pyarrow.types.is_null(column.type):
        return _words([""] * len(column))
    if not pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    choices = ("" if value is None else str(value) for value in column.dictionary.to_pylist())
    codes = column.indices.fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)
    return Words((*(text.strip() for text in choices), ""), codes.astype(np.int32))


def _arrow_numbers(column: Any) -> Numbers:
    import pyarrow

    kind = column.type
    known = (pyarrow.types.is_integer, pyarrow.types.is_floating, pyarrow.types.is_null)
    if not any(is_kind(kind) for is_kind in known):
        return _numbers(["" if value is None else str(value) for value in column.to_pylist()])
    empty = column.is_null().to_numpy(zero_copy_only=False)
    values = column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False).copy()
    wrong = np.flatnonzero(~np.isfinite(values) & ~empty).tolist()
    odd = {row: str(values[row]) for row in wrong}
    values[wrong] = np.nan
    return Numbers(values, odd)


def _join_words(blocks: Sequence[Words]) -> Words:
    number: dict[str, int] = {}
    codes = [np.zeros(0, np.int32)]
    for block in blocks:
        shared = np.full(len(block.choices), -1, np.int32)
        # A dictionary of Parquet may list what no row of its block holds.
        for code in np.flatnonzero(np.bincount(block.codes)).tolist():
            shared[code] = number.setdefault(block.choices[code], len(number))
        codes.append(shared[block.codes])
    return Words(tuple(number), np.concatenate(codes))


def _join_numbers(blocks: Sequence[Numbers]) -> Numbers:
    odd: dict[int, str] = {}
    first = 0
    for block in blocks:
        odd |= {first + row: text for row, text in block.odd.items()}
        first += len(block.values)
    return Numbers(np.concatenate([np.zeros(0), *(block.values for block in blocks)]), odd)

"""Tables on disk -> columns of text with line numbers; every oddity of the format is reported."""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn.datasets import problems
from glidn.datasets.problems import Problem, Report
from glidn.errors import nearest


@dataclass(frozen=True)
class Columns:
    """The rows of a table that have as many values as the header.

    Attributes:
        file: the table's name, relative to the dataset's root.
        lines: of each row, from 1, the header being the first; Parquet rows are counted alike.
        values: column name -> texts, one per row; a column that may be absent is then all "".
    """

    file: str
    lines: list[int]
    values: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.lines)

    def words(self, name: str) -> list[str]:
        return [value.strip() for value in self.values[name]]

    def numbers(self, name: str, report: Report, whole: bool = False) -> np.ndarray:
        """(n,) float64; NaN where the text was no number, which has been reported."""
        return problems.numbers(self.file, self.lines, name, self.values[name], report, whole)


def read_columns(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...], report: Report
) -> Columns | None:
    """Read .csv, .csv.gz or .parquet; None where a needed column or the whole file is missing.

    Columns beyond `needed` and `optional` are passed over: they are the user's own.
    """
    header, lines, rows = (
        _read_parquet(path, report) if path.suffix == ".parquet" else _read_csv(path, report)
    )
    if not header:
        return None
    missing = [name for name in needed if name not in header]
    for name in missing:
        report(
            Problem(
                path.name,
                1,
                f"there is no column {name!r}{nearest(name, header)}",
                f"The first line must name the columns {','.join((*needed, *optional))}",
            )
        )
    if missing:
        return None
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    empty = [""] * len(rows)
    return Columns(
        path.name, lines, {name: columns.get(name, empty) for name in (*needed, *optional)}
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


def _read_csv(path: Path, report: Report) -> tuple[list[str], list[int], list[list[str]]]:
    """(header, lines, rows); an empty header where nothing could be read."""
    text = read_text(path, path.name, report)
    if text is None:
        return [], [], []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header = [name.strip() for name in row]
            elif len(row) == len(header):
                rows.append(row)
                lines.append(reader.line_num)
            else:
                report(
                    Problem(
                        path.name,
                        reader.line_num,
                        f"there are {len(row)} values, and the header names {len(header)} columns",
                        "Give every row one value per column; a value with a comma in it needs "
                        'quotes ("like, this")',
                    )
                )
    except csv.Error as error:
        what = f"this is not CSV: {error}"
        report(Problem(path.name, reader.line_num, what, "Correct or remove the line"))
    if not header:
        what = "this file is empty"
        report(Problem(path.name, None, what, "Its first line must name the columns"))
    return header, lines, rows


def _read_parquet(path: Path, report: Report) -> tuple[list[str], list[int], list[list[str]]]:
    """As `_read_csv`; every value becomes text, so that one code checks both."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        mend = 'Install it with: pip install "glidn[parquet]", or save the table as boxes.csv.gz'
        report(Problem(path.name, None, "reading Parquet needs pyarrow", mend))
        return [], [], []
    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        what = f"this file cannot be read: {str(error).rstrip('.')}"
        report(Problem(path.name, None, what, "It may be cut off: copy or write it again"))
        return [], [], []
    columns = [
        ["" if value is None else str(value) for value in column.to_pylist()]
        for column in table.columns
    ]
    return (
        table.column_names,
        list(range(2, table.num_rows + 2)),
        list(map(list, zip(*columns, strict=True))),
    )

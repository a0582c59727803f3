"""Progress: bars on a terminal; elsewhere a line now and then, so that logs stay readable."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[str, float, int], None]
SELDOM = 60.0  # seconds from one line of a log to the next


@contextlib.contextmanager
def progress_bar(show: bool = True) -> Iterator[Report]:
    """Give a function (description, done, total) that draws a bar per description."""
    console = Console(stderr=True)
    if not show:
        yield lambda description, done, total: None
        return
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, int] = {}

        def report(description: str, done: float, total: int) -> None:
            if description not in tasks:
                tasks[description] = bars.add_task(description, total=total)
            bars.update(tasks[description], completed=done, total=total)  # type: ignore[arg-type]

        yield report


class _Lines:
    """A line to standard error after every `SELDOM` seconds; none for what is quick."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, description: str, done: float, total: int) -> None:
        now = time.monotonic()
        if now - self._said >= SELDOM:
            self._said = now
            print(f"glidn: {description}: {done:,.0f} of {total:,}", file=sys.stderr, flush=True)

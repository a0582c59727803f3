"""Progress on a terminal; silence elsewhere, so that logs stay readable."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[str, float, int], None]


@contextlib.contextmanager
def progress_bar(show: bool = True) -> Iterator[Report]:
    """Give a function (description, done, total) that draws a bar per description."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, disable=not (show and console.is_terminal)) as bars:
        tasks: dict[str, int] = {}

        def report(description: str, done: float, total: int) -> None:
            if description not in tasks:
                tasks[description] = bars.add_task(description, total=total)
            bars.update(tasks[description], completed=done, total=total)  # type: ignore[arg-type]

        yield report

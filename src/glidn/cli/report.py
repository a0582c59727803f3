"""glidn report PATH [--out FILE]"""

import argparse
from pathlib import Path


def main(arguments: list[str]) -> int:
    """One self-contained HTML page about a run, or about a reproduction of the paper's tables."""
    parser = argparse.ArgumentParser(prog="glidn report", description=main.__doc__)
    parser.add_argument("path", type=Path, help="a folder of glidn train, reproduce or demo")
    parser.add_argument("--out", type=Path, help="the file; default: PATH/report.html")
    found = parser.parse_args(arguments)

    # Imported here because torch takes seconds: a wrong option is told at once.
    from glidn.cli.progress import progress_bar
    from glidn.report.page import write_report

    with progress_bar() as report:
        written = write_report(found.path, found.out, report)
    print(f"written: {written} ({written.stat().st_size / 1e6:.1f} MB); open it in a browser.")
    return 0

"""Errors that a user can cause: each is one sentence that says what, where, and what to do.

The command line prints the sentence and exits with code 2; anything else is a bug in glidn
and shows its traceback.
"""

import difflib
from collections.abc import Iterable


class GlidnError(Exception):
    """Anything that a user can cause and mend."""


class DataError(GlidnError):
    """Something in a dataset, a video or a label file."""


class SettingError(GlidnError):
    """A setting that does not exist or cannot be."""


class RunError(GlidnError):
    """A run folder that is missing, incomplete, or of another version."""


class LeakError(GlidnError):
    """A test video, or a teacher that saw it, would take part in training."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: "; nearest: drinking" or the choices."""
    known = sorted(set(choices))
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; nearest: {close[0]}"
    return f"; known: {', '.join(known)}" if len(known) <= 12 else ""


def few(names: Iterable[str], most: int = 3) -> str:
    """The first few names, and how many more there are: "a, b, c and 7 more"."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more

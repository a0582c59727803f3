"""How the C library handles memory: what is freed is kept for what is needed next."""

import ctypes
import os
import sys

# glibc's numbers of its options, and the variables by which processes to come learn them.
OPTIONS = {"MALLOC_MMAP_MAX_": (-4, 0), "MALLOC_TRIM_THRESHOLD_": (-1, -1)}


def keep() -> None:
    """Keep freed memory, in this process and in those that it starts.

    glibc gives large blocks back to the system at once, and every step of a network takes new
    ones, which the system has to clear: up to half of a step on a CPU. Kept, they are used again;
    a process then stays as large as it ever was. Other C libraries are left as they are, and so is
    what the user has set.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    for variable, (option, value) in OPTIONS.items():
        if variable not in os.environ and hasattr(library, "mallopt"):
            library.mallopt(option, value)
            os.environ[variable] = str(value)

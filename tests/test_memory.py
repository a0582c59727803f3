"""Freed memory is used again and not cleared anew."""

import os
import platform
import subprocess
import sys

import pytest

# Pages that the system had to give for the second of two blocks, here and in a process from here.
SCRIPT = """
import resource, subprocess, sys
if sys.argv[1] == "keep":
    from glidn import memory
    memory.keep()
def taken():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(b"1") * (128 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
taken()
print(taken(), flush=True)
if sys.argv[1] != "child":
    subprocess.run([sys.executable, "-c", sys.argv[2], "child", ""], check=True)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
@pytest.mark.parametrize(("how", "clears"), [("keep", False), ("leave", True)])
def test_a_block_that_was_freed_is_not_cleared_again(how, clears):
    command = [sys.executable, "-c", SCRIPT, how, SCRIPT]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    here, there = map(int, done.stdout.split())
    pages = (128 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert (here > pages / 2, there > pages / 2) == (clears, clears)

"""What several tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def shared() -> Path:
    """The folder of outside data; the Makefile names it where it exists."""
    folder = os.environ.get("GLIDN_SHARED")
    if not folder:
        pytest.skip("GLIDN_SHARED does not name the outside data")
    return Path(folder)

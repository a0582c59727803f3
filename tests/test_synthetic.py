"""The generated videos: what is drawn is what is written, and a rule tells only what it says."""

import filecmp
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glidn.datasets.synthetic import SyntheticConfig, generate, grammar, label_rules, write_cad120
from glidn.datasets.synthetic.cad120_layout import skeleton_points
from glidn.datasets.synthetic.performance import durations
from glidn.datasets.synthetic.person import JOINTS, pose
from glidn.datasets.synthetic.raycast import (
    SCENERY_NOTHING,
    Camera,
)

"""Generated videos of a person at a table, in the official layouts of CAD-120 and of Charades.

    from glidn.datasets.synthetic import SyntheticConfig, write_cad120
    write_cad120(Path("generated"), SyntheticConfig(repetitions=3))

The way of a video: grammar, label_rules or charades_script (what happens) -> performance (where
everything is) -> person, shapes (what it looks like) -> scene, raycast (pixels, and who owns each)
-> cad120_layout or charades_layout.
"""

from glidn.datasets.synthetic.charades import CharadesConfig, write_charades
from glidn.datasets.synthetic.generate import SyntheticConfig, write_cad120
from glidn.datasets.synthetic.label_rules import LabelRuleVideos, sample

__all__ = [
    "CharadesConfig",
    "LabelRuleVideos",
    "SyntheticConfig",
    "sample",
    "write_cad120",
    "write_charades",
]

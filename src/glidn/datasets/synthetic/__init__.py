"""Generated videos of a person at a table, written in CAD-120's official layout.

    from glidn.datasets.synthetic import SyntheticConfig, write_cad120
    write_cad120(Path("generated"), SyntheticConfig(repetitions=3))

The way of a video: grammar or label_rules (what happens) -> performance (where everything is) ->
person, shapes (what it looks like) -> scene, raycast (pixels, and who owns each) -> cad120_layout.
"""

from glidn.datasets.synthetic.generate import SyntheticConfig, write_cad120
from glidn.datasets.synthetic.label_rules import LabelRuleVideos, sample

__all__ = ["LabelRuleVideos", "SyntheticConfig", "sample", "write_cad120"]

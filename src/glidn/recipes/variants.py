"""The paper's ablations, each derived from any base recipe by the one thing that it names."""

from dataclasses import replace
from pathlib import Path

from glidn.config import Context, DistillConfig, RunConfig

# Table 9: the best temperature and balance for each direction; λ1 = 1 - λ2 (section 4.2.2).
GLOBAL_TEACHES = DistillConfig(temperature=10.0, lambda1=0.3, lambda2=0.7)
LOCAL_TEACHES = DistillConfig(temperature=5.0, lambda1=0.7, lambda2=0.3)


def without_relations(base: RunConfig) -> RunConfig:
    """The baseline: the mean of the nodes, without any layer that relates them."""
    return replace(base, view=replace(base.view, context="none"), distill=None)


def alone(base: RunConfig, context: Context) -> RunConfig:
    """One view, taught by the labels only."""
    return replace(base, view=replace(base.view, context=context), distill=None)


def taught(
    base: RunConfig, context: Context, teacher: Path, distill: DistillConfig | None = None
) -> RunConfig:
    """The view `context` as the student of the run `teacher`, which holds the other view."""
    chosen = distill or (GLOBAL_TEACHES if context == "local" else LOCAL_TEACHES)
    return replace(alone(base, context), distill=replace(chosen, teacher=teacher))


def mutual(base: RunConfig, context: Context = "local") -> RunConfig:
    """Deep mutual learning: both views at once, unsoftened, in equal parts (Zhang et al. 2018)."""
    equal = DistillConfig(mutual=True, temperature=1.0, lambda1=1.0, lambda2=1.0)
    return replace(alone(base, context), distill=equal)

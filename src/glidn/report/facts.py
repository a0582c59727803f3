"""How the runs were made: data, networks, training, machine."""

from glidn.report.markup import Html, count, listed, spaced, tag
from glidn.report.sources import Sources
from glidn.runs import Run

KINDS = {
    "crop": "frozen ResNet features of each box",
    "small": "a small network on each box",
    "geometry": "place, size, motion and category of each box",
    "region": "each box’s part of the backbone’s last map",
}
BACKBONES = {"i3d": "I3D", "slowfast": "SlowFast"}
PUBLISHED = (64, (3, 4, 6, 3))  # width and blocks of the published weights


def table(sources: Sources) -> Html:
    """The settings and circumstances of the runs."""
    run = sources.first
    about, config, data = run.about, run.config, run.about["dataset"]
    seeds = sorted({found.config.train.seed for arm in sources.arms for found in arm.runs})
    train = config.train
    facts = {
        "Dataset": f"{data['name']}: {count(data['videos'], 'video')}",
        "Subjects": listed(data["subjects"]) or "not named",
        "Classes": _classes(sources),
        "Objects": listed(spaced(name) for name in data["categories"] if name != data["person"]),
        "Backbone": _backbone(run),
        "Nodes": _nodes(sources),
        "Time": "" if config.clips else f"{count(config.data.steps, 'step')} per video",
        "Clips": _clips(run),
        "Network": _network(sources),
        "Teaching": _teaching(run),
        "Training": f"{count(train.epochs, 'epoch')}, batches of {train.batch}, learning rate "
        f"{train.lr:g}; the last epoch is tested",
        "Optimiser": _optimiser(run) if config.backbone or sources.many else "",
        "Seeds": listed(map(str, seeds)),
        "Machine": f"{about['machine']}; {about['device']}",
        "Software": f"glidn {about['glidn']}"
        f" (commit {about['commit'] or 'unknown'}), torch {about['torch']}, "
        f"Python {about['python']}",
        "Started": str(about["started"]).replace("T", " ").replace("+00:00", " UTC"),
    }
    pairs = [
        tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items() if value
    ]
    command = tag("div", tag("dt", "Command"), tag("dd", tag("code", about["command"])))
    return tag("dl", *pairs, command, class_="facts")


def _network(sources: Sources) -> str:
    arm = sources.related[0]
    view = arm.runs[0].config.view
    if arm.alone:
        return "the backbone with its own classifier; it sees no boxes"
    parts = [
        f"{count(view.layers, 'graph attention layer')} of width {view.width}, "
        f"{count(view.heads, 'head')}",
        f"readout: {view.readout}",
    ]
    if view.context == "none":
        del parts[0]
    if view.scene != "none":
        parts.append(f"the scene beside the nodes: {view.scene}")
    if view.time:
        parts.append("nodes know their time")
    return "; ".join(parts)


def _teaching(run: Run) -> str:
    distill = run.config.distill
    if distill is None:
        return ""
    who = "mutual" if distill.mutual else f"teacher {distill.teacher}"
    return f"{who}; T = {distill.temperature:g}, λ1 = {distill.lambda1:g}, λ2 = {distill.lambda2:g}"


def _classes(sources: Sources) -> str:
    classes = sources.first.classes
    if not sources.many:
        return listed(spaced(name) for name in classes)
    # Too many to name twice: their figure names them.
    shown = len(sources.arms[0].precisions[0].per_class)
    return f"{len(classes)}, of which test videos show {shown}"


def _backbone(run: Run) -> str:
    backbone = run.config.backbone
    if backbone is None:
        return ""
    blocks = "-".join(map(str, backbone.blocks))
    size = (
        "ResNet-50"
        if (backbone.width, backbone.blocks) == PUBLISHED
        else f"width {backbone.width}, blocks {blocks}"
    )
    weights = f"weights of {backbone.weights}" if backbone.weights else "random weights"
    parts = [f"{BACKBONES[backbone.name]}, {size}", f"it began with {weights}"]
    if backbone.frozen:
        parts.append("frozen")
    elif backbone.frozen_norm:
        parts.append("batch normalisation frozen")
    return "; ".join(parts)


def _nodes(sources: Sources) -> str:
    config = sources.related[0].runs[0].config
    if sources.related[0].alone:
        return ""
    found = " + ".join(KINDS[kind] for kind in config.nodes.kinds)
    if config.clips:
        found += f"; at most {count(config.clips.boxes, 'box', 'boxes')} per time step"
    return found


def _clips(run: Run) -> str:
    clips = run.config.clips
    if clips is None:
        return ""
    low, high = clips.short
    seconds = ((clips.frames - 1) * clips.rate + 1) / clips.fps
    return (
        f"{clips.frames} frames, every {_ordinal(clips.rate)} at {clips.fps:g} frames a second "
        f"({seconds:.1f} s); training: crops of {clips.size} × {clips.size} from a short side of "
        f"{low} to {high}; test: {clips.test_size} × {clips.test_size}"
    )


def _ordinal(number: int) -> str:
    return {1: "one", 2: "second", 3: "third"}.get(number, f"{number}th")


def _optimiser(run: Run) -> str:
    train = run.config.train
    name = f"SGD, Nesterov momentum {train.momentum:g}" if train.optimizer == "sgd" else "AdamW"
    schedule = (
        "cosine schedule"
        if train.schedule == "cosine"
        else f"learning rate × {train.decay:g} each {count(train.decay_every, 'epoch')}"
    )
    return f"{name}; weight decay {train.weight_decay:g}; {schedule}; {train.precision}"

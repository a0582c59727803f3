"""Training and testing over machines, each an agent of torchrun, of which one loses its worker."""

import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

import make_agents
from glidn import many_labels, runs
from make_clips import config
from test_clip_training import assert_moved_alike, log, train

WORKER = f"""
import os, sys
from pathlib import Path
import make_clips
from glidn import experiment, processes, protocol, runs
from glidn.material import prepare

out, where, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def die(doing):
    def reached(done, of):
        if (doing, done, processes.number()) == (where, step, 1) and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), {signal.SIGKILL:d})
    return reached

killed = out.parent / "killed"
config, data = make_clips.config(), make_clips.dataset()
folds = protocol.folds(data)
if processes.is_first():
    runs.create(out, config, data, folds)
processes.wait()
material = prepare(data, config, None)
experiment.train_fold(runs.read(out), "test", material, die("training"), die("testing"))
"""


def on_two_machines(folder: Path, *words: str) -> None:
    script = folder.parent / "worker.py"
    script.write_text(WORKER)
    meeting = f"--rdzv-endpoint=127.0.0.1:{make_agents.free_port()}"
    command = make_agents.command(
        *("--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", meeting),
        *("--local-addr=127.0.0.1", "--max-restarts=3", "--monitor-interval=0.2"),
        *(str(script), str(folder), *words),
    )
    # As docs/reproduce.md says.
    env = make_agents.environment() | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    machines = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    try:
        said = [machine.communicate(timeout=180)[0].decode() for machine in machines]
    finally:
        for machine in machines:
            machine.kill()
    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(said)


@pytest.mark.parametrize(("where", "step"), [("training", 5), ("testing", 2)])
def test_a_killed_worker_loses_nothing_and_doubles_nothing(tmp_path, where, step):
    """In the second of two epochs, or in the test: the weights, the log and the scores of one
    process that nobody disturbed."""
    on_two_machines(tmp_path / "two", where, str(step))
    assert (tmp_path / "killed").exists()
    one, two = train(tmp_path / "one", config()), runs.read(tmp_path / "two")
    assert_moved_alike(one, two, tmp_path / "start")
    assert [line["epoch"] for line in log(two)] == [1, 2]
    assert log(one)[-1]["local.loss"] == pytest.approx(log(two)[-1]["local.loss"], rel=1e-4)
    scores = [many_labels.read(run.fold("test") / "local.csv", run.classes) for run in (one, two)]
    assert scores[0].videos == scores[1].videos
    np.testing.assert_allclose(scores[0].scores, scores[1].scores, rtol=1e-4)

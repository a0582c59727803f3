"""What a user types and reads: one sentence for what is wrong, exit code 2, no traceback."""

import re
import subprocess
import sys

import pytest
import yaml

from glidn.cli import COMMANDS, main
from glidn.datasets.table import write_table
from make import dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "cups"
    write_table(dataset(), root)
    return root


QUICK = ["--train.epochs", "2", "--train.threads", "1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trian"], "no command 'trian'; nearest: train."),
        (["train", "cad120.studnt"], "cad120.studnt is no recipe; nearest: cad120.student."),
        (
            ["train", "cad120.tracks", "--train.learning_rate", "1"],
            "no setting 'train.learning_rate'; at 'train' a recipe has: epochs, batch, lr",
        ),
        (["train", "cad120.tracks", "--train.epochs", "many"], "train.epochs"),
        (["train", "cad120.tracks", "--data.root", "nowhere"], "nowhere does not exist"),
        (["train", "cad120.tracks", "--view.heads", "3"], "which 3 heads (view.heads) cannot"),
        (["train", "cad120.tracks", "--nodes.kinds", "[]"], "nodes.kinds is empty"),
        (["train", "cad120.tracks", "--train.batch", "0"], "train.batch is 0; it must be at least"),
        (
            ["train", "cad120.student", "--distill.temperature", "0"],
            "distill.temperature is 0.0; it must be above 0.",
        ),
        (["generate", "videos", "--workers", "0"], "workers is 0; it must be 1 or more."),
        (["demo", "--smallest", "--workers", "-1"], "workers is -1; it must be 1 or more."),
        (["evaluate", "runs/x"], "runs/x does not exist. Train a run with"),
        (["report", "runs/x"], "runs/x"),
        (["reproduce", "cad120", "--nodes", "crops"], "crops is no kind of node; nearest: crop."),
        (["check", "nowhere"], "nowhere does not exist"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(words, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("glidn: ")
    assert sentence in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_every_command_helps(capsys):
    assert main([]) == 0
    listed = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command} ", listed, re.M)
        done = subprocess.run(
            [sys.executable, "-m", "glidn", command, "--help"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "usage" in done.stdout


def test_train_evaluate_and_train_again(data, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["train", "cad120.tracks", "--data.root", str(data), "--out", str(run), *QUICK]
    assert main(words) == 0
    first = {path: path.read_bytes() for path in run.rglob("*.csv")}
    assert len(first) == 3
    assert not list(run.rglob("checkpoint.pt"))
    assert main(["evaluate", str(run)]) == 0
    assert "12 videos" in capsys.readouterr().out
    assert main(words) == 0
    assert {path: path.read_bytes() for path in run.rglob("*.csv")} == first


def test_a_teacher_of_other_folds_is_refused(data, tmp_path, capsys):
    """anna's teacher was trained on ben, so it must not teach the fold that tests ben."""
    teacher = tmp_path / "teacher"
    words = ["train", "cad120.tracks", "--data.root", str(data), *QUICK]
    assert main([*words, "--out", str(teacher), "--view.context", "global"]) == 0
    # Someone copies anna's fold over ben's.
    (teacher / "folds/ben/fold.json").write_bytes((teacher / "folds/anna/fold.json").read_bytes())
    student = [*words, "--out", str(tmp_path / "student"), "--distill.teacher", str(teacher)]
    assert main(student) == 2
    said = capsys.readouterr().err
    assert "fold ben: the teacher" in said
    assert "was trained on 3 of the test videos" in said


def test_printed_settings_make_the_same_run(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "cad120.student", "--train.lr", "0.5", "--print_config"])
    assert stop.value.code == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["train"]["lr"] == 0.5
    assert printed["distill"]["teacher"] == "runs/cad120.teacher"
    assert printed["data"]["steps"] == 30

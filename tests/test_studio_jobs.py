"""The studio's parts: the queue, corrections, names, addresses, and what the command refuses."""

import threading

import numpy as np
import pytest

import make_studio
from glidn.cli import main
from glidn.detectors import Detections
from glidn.errors import SettingError
from glidn.prediction.corrections import REMOVED, corrected, told
from glidn.prediction.sources import open_file
from glidn.prediction.watch import Found
from glidn.studio.jobs import Jobs
from glidn.studio.scene import changes_from
from glidn.studio.serve import Address
from glidn.studio.uploads import shown_name


def test_browsers_take_turns(tmp_path):
    jobs, begun, go = Jobs(tmp_path / "files"), threading.Event(), threading.Event()
    order: list[str] = []

    def hold(report: object) -> None:
        begun.set()
        go.wait(5)

    jobs.submit(jobs.add("a", "first"), "predict", hold)
    begun.wait(5)
    made = {}
    for owner, name in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("b", "b2")]:
        made[name] = jobs.add(owner, name)
        jobs.submit(made[name], "predict", lambda report, name=name: order.append(name))
    ahead = {name: jobs.ahead(job) for name, job in made.items()}
    go.set()
    make_studio.wait(lambda: len(order) == 5)
    assert order == ["a1", "b1", "a2", "b2", "a3"]
    assert ahead == {name: place + 1 for place, name in enumerate(order)}
    jobs.close()


def test_jobs_that_nobody_asks_about_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("glidn.studio.jobs.SWEEP", 0.02)
    jobs = Jobs(tmp_path / "files", kept=0.1)
    job = jobs.add("me", "clip.mp4")
    assert job.folder.exists()
    make_studio.wait(lambda: not job.folder.exists())
    jobs.close()


def test_a_bug_costs_one_task_and_not_the_studio(tmp_path, capsys):
    jobs = Jobs(tmp_path / "files")
    first, second = jobs.add("me", "a.mp4"), jobs.add("me", "b.mp4")
    jobs.submit(first, "predict", lambda report: 1 / 0)
    over = threading.Event()
    jobs.submit(second, "predict", lambda report: over.set())
    assert over.wait(5)
    assert first.task.state == "failed" and "a.mp4" in first.task.error
    jobs.close()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_corrections_of_rows():
    def box(track: str, category: str) -> Found:
        return Found(track, category, np.zeros(4, np.float32))

    rows = [(0, [box("a", "cup"), box("b", "cup")]), (3, [box("b", "cup")])]
    found = [
        (frame, [(it.track, it.category) for it in boxes])
        for frame, boxes in corrected(rows, {"a": REMOVED, "b": "bowl"})
    ]
    assert found == [(0, [("b", "bowl")]), (3, [("b", "bowl")])]
    assert told({"a": REMOVED, "b": "bowl"}) == "1 removed, 1 renamed by hand"
    assert changes_from({"a": None, "b": " bowl "}) == {"a": REMOVED, "b": "bowl"}
    with pytest.raises(SettingError):
        changes_from({"a": ""})


def test_names_of_files_are_only_shown():
    assert shown_name("../../etc/passwd") == "passwd"
    assert shown_name("C:\\films\\a\x00\n.mp4") == "a.mp4"
    assert shown_name("") == shown_name("..") == "video"
    assert len(shown_name("a" * 500 + ".mp4")) == 120


def test_which_addresses_are_this_machine_alone():
    assert Address("127.0.0.1", 1).loopback and Address("::1", 1).loopback
    assert Address("localhost", 1).loopback
    assert not Address("0.0.0.0", 1).loopback and not Address("example.org", 1).loopback


def test_the_command_says_what_is_wrong(capsys, tmp_path, monkeypatch):
    def said(*words: str) -> str:
        assert main(["studio", *words]) == 2
        return capsys.readouterr().err

    assert "has no trained" in said("none") or "does not exist" in said("none")
    assert "--most-mb is 0" in said("none", "--most-mb", "0")
    assert "--port is 70000" in said("none", "--port", "70000")
    assert "both given" in said("none", "--detector", "a", "--boxes", "b")
    monkeypatch.setattr("glidn.cli.studio.find_spec", lambda name: None)
    assert 'pip install "glidn[web]"' in said("none")


def test_detections_are_what_the_fake_says(tmp_path):
    """The colours survive the codec."""
    video = open_file(make_studio.video(tmp_path / "clip.mp4"))
    (found,) = make_studio.Colours()(video.pixels.read(np.array([3])))
    assert isinstance(found, Detections) and found.categories == ("person", "cup")
    np.testing.assert_allclose(found.xyxy[1], [50, 12, 62, 24], atol=2)

"""The data doctor and its command: what is printed, and the exit code."""

from pathlib import Path

import numpy as np
import pytest

from glidn.cli.check import main
from glidn.datasets import READERS, load
from glidn.datasets.check import examine
from glidn.errors import DataError
from glidn.video import write_video

FRAMES = 40


def write(root: Path, people=("anna", "ben", "cleo"), file="", boxes="", fps=30) -> Path:
    """Every person drinks in one video; boxes=... is appended to the table of boxes."""
    videos = "".join(f"{name},{file},{name},drinking,{FRAMES},{fps},64,48\n" for name in people)
    (root / "videos.csv").write_text(f"video,file,subject,label,frames,fps,width,height\n{videos}")
    rows = "".join(f"{name},0,0,person,1,2,30,40\n" for name in people)
    (root / "boxes.csv").write_text(f"video,frame,track,category,x1,y1,x2,y2\n{rows}{boxes}")
    return root


def test_a_good_dataset_is_counted(tmp_path, capsys):
    assert main([str(write(tmp_path))]) == 0
    said = capsys.readouterr().out
    assert "3 videos, 3 subjects, 1 classes, 0 segments, 3 tracks, 3 boxes, 0 left out." in said
    assert "No problem found." in said and "No pixels." in said


def test_problems_stand_below_their_file_with_line_and_mend(tmp_path, capsys):
    root = write(tmp_path, boxes="anna,1,0,person,9,9,9,9\nbert,1,0,person,1,1,2,2\n")
    assert main([str(root)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "boxes.csv"
    assert said[1].startswith("  line 5: the box (9, 9, 9, 9) has no area")
    assert "x2 must be greater than x1" in said[1]
    assert said[2].startswith("  line 6: the video 'bert' is not in videos.csv; nearest: ben.")
    assert said[-1] == "2 problems."


def test_long_lists_are_cut_for_each_kind_by_itself(tmp_path, capsys):
    flat = "".join(f"anna,{frame},0,person,9,9,9,9\n" for frame in range(1, 36))
    root = write(tmp_path, boxes=flat + "ben,50,0,person,1,1,2,2\n")
    assert main([str(root)]) == 1
    said = capsys.readouterr().out
    assert said.count("has no area") == 20 and "... and 15 more of this kind" in said
    assert "frame 50 is not in a video of 40 frames" in said and "36 problems." in said


@pytest.mark.parametrize("command", [load, examine])
def test_a_folder_that_is_no_dataset_is_told_what_was_looked_for(tmp_path, command):
    with pytest.raises(DataError, match=r"is not a dataset.*videos\.csv.*Subject\*_annotations"):
        command(tmp_path)
    with pytest.raises(DataError, match="nowhere does not exist"):
        command(tmp_path / "nowhere")
    with pytest.raises(DataError, match="'tabel' is no kind of dataset; nearest: table"):
        command(tmp_path, "tabel")


def test_a_kind_can_be_forced(tmp_path):
    write(tmp_path)
    (tmp_path / "Subject1_annotations").mkdir()
    assert load(tmp_path, "table").videos and "table" in READERS
    with pytest.raises(DataError, match="not one video"):
        load(tmp_path, "cad120")


def test_pixels_are_opened_at_three_places_or_all(tmp_path, capsys):
    root = write(tmp_path, file="film.mp4")
    picture = np.zeros((48, 64, 3), np.uint8)
    write_video(root / "film.mp4", [picture] * FRAMES, fps=30)
    assert (
        main([str(root)]) == 0 and "3 videos opened, three frames each" in capsys.readouterr().out
    )
    assert main([str(root), "--pixels"]) == 0 and "every frame" in capsys.readouterr().out

    write_video(root / "film.mp4", [picture] * (FRAMES - 1), fps=30)
    problem = examine(root).problems[0]
    assert problem.file == "film.mp4" and "has no frame 39: it has 39" in problem.sentence
    write_video(root / "film.mp4", [picture[:, :32]] * FRAMES, fps=30)
    assert "frames are 32x48, and the boxes of 'anna' are for 64x48" in (
        examine(root).problems[0].sentence
    )


def test_a_frame_that_only_the_full_examination_opens(tmp_path):
    from PIL import Image

    root = write(tmp_path, people=("anna",), file="frames")
    (root / "frames").mkdir()
    for n in range(FRAMES):
        Image.new("RGB", (64, 48)).save(root / "frames" / f"{n}.png")
    (root / "frames" / "7.png").write_bytes(b"broken")
    assert not examine(root).problems
    (problem,) = examine(root, all_pixels=True).problems
    assert problem.file == "frames" and "7.png (frame 7) cannot be read" in problem.sentence


def test_what_is_unusual_is_a_note_and_no_problem(tmp_path):
    root = write(
        tmp_path,
        fps=1000,
        boxes="anna,1,0,person,41,2,60,40\nanna,9,0,person,1,2,30,40\nben,0,1,cup,1,2,3,4\n",
    )
    videos = (root / "videos.csv").read_text()
    (root / "videos.csv").write_text(videos.replace("ben,drinking", "ben,pouring"))
    found = examine(root)
    assert not found.problems
    notes = "\n".join(found.notes)
    assert "only ben shows 'pouring'" in notes
    assert "ben does not show 'drinking'" in notes
    assert "anna, ben, cleo: frame rates outside 5 to 120" in notes
    # 35 pixels of 80 within one frame; the same way back takes eight frames.
    assert "anna track 0 after frame 0: the box jumps" in notes

    boxes = (root / "boxes.csv").read_text()
    (root / "boxes.csv").write_text(boxes.replace("cleo,0,0,person", "cleo,0,0,cat"))
    assert any("cleo: no box of a person" in note for note in examine(root).notes)


def test_one_subject_alone_is_noted(tmp_path):
    notes = examine(write(tmp_path, people=("anna",))).notes
    assert any("one subject only" in note for note in notes)


@pytest.mark.shared
def test_real_tracks_have_no_problem(shared, capsys):
    assert main([str(shared / "data" / "cad120_tracks")]) == 0
    assert "112 videos, 4 subjects, 9 classes, 982 segments" in capsys.readouterr().out

"""Tables of boxes at size, across formats, and what would be read wrongly."""

import gzip

import numpy as np
import pytest

from glidn.datasets import columns as module
from glidn.datasets import load
from glidn.datasets.box_rows import BoxRows, write_rows
from glidn.datasets.check import examine
from glidn.datasets.columns import read_columns
from glidn.datasets.problems import raise_first
from glidn.datasets.table import write_table
from glidn.errors import DataError
from test_action_genome import charades

NAMES = ("boxes.csv", "boxes.csv.gz", "boxes.parquet")


def rows(video: str, count: int, seed: int) -> BoxRows:
    """Boxes of two categories, one of them without scores."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 300, (count, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(1, 99, (count, 2))], axis=1)
    categories = rng.choice(["proposal", "a, b"], count)
    scores = np.where(categories == "proposal", rng.random(count), np.nan)
    frames = np.sort(rng.integers(0, 50, count))
    return BoxRows(video, frames, categories, xyxy.round(2).astype("f4"), scores.astype("f4"))


def slow_tracks(videos: list[BoxRows]) -> dict:
    """(video, track) -> its boxes, one row at a time."""
    tracks: dict = {}
    for video in videos:
        seen: dict = {}
        for at in range(len(video)):
            frame, category = int(video.frames[at]), str(video.categories[at])
            seen[frame, category] = seen.get((frame, category), 0) + 1
            track = tracks.setdefault((video.video, f"{category} {seen[frame, category]}"), [])
            score = float(video.scores[at])
            track.append((frame, *video.xyxy[at].tolist(), None if np.isnan(score) else score))
    return tracks


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("block", [7, 65_536])
def test_every_format_and_size_of_block_gives_the_same_tracks(tmp_path, name, block, monkeypatch):
    """Would catch: rows lost or mixed at the seams of blocks; numbers rounded by a format."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(module, "ROWS", block)
    videos = [rows("v1", 211, 1), rows("v2", 0, 2), rows("v3", 97, 3)]
    listed = "".join(f"{video.video},50,10,640,480,sit\n" for video in videos)
    (tmp_path / "videos.csv").write_text("video,frames,fps,width,height,label\n" + listed)
    assert write_rows(tmp_path / name, videos) == 308
    found = examine(tmp_path).dataset
    expected = slow_tracks(videos)
    assert {(v.name, t.name) for v in found.videos for t in v.tracks} == expected.keys()
    for video in found.videos:
        for track in video.tracks:
            scores = [None] * len(track.frames) if track.scores is None else track.scores.tolist()
            boxes = zip(track.frames.tolist(), track.xyxy.tolist(), scores, strict=True)
            made = [(frame, *box, score) for frame, box, score in boxes]
            assert made == expected[video.name, track.name]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_boxes_make_the_same_bytes(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    for folder in ("a", "b"):
        write_rows(tmp_path / folder / name, [rows("v1", 31, 1)])
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_numbers_and_words_of_parquet_come_in_any_type(tmp_path):
    """Would catch: a track that is a number, or numbers that are text, refused or misread."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "word": pyarrow.array([7, None, 7], pyarrow.int64()),
            "coded": pyarrow.array([" a ", "a", None]).dictionary_encode(),
            "text": ["1.5", "", "x"],
            "nothing": pyarrow.nulls(3),
            "float": pyarrow.array([1, float("nan"), None], pyarrow.float32()),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    problems: list = []
    names = ("word", "coded", "text", "nothing", "float", "absent")
    numeric = ("text", "nothing", "float")
    found = read_columns(
        tmp_path / "t.parquet", names[:-1], names[-1:], problems.append, numeric=numeric
    )
    assert found.words("word") == ["7", "", "7"] and found.words("coded") == ["a", "a", ""]
    assert found.words("absent") == [""] * 3 and found.texts["coded"].choices == ("a", "")
    np.testing.assert_array_equal(
        found.numbers("text", problems.append, may_be_empty=True), [1.5, np.nan, np.nan]
    )
    found.numbers("float", problems.append)
    found.numbers("nothing", problems.append, may_be_empty=True)
    assert [(problem.line, problem.what) for problem in problems] == [
        (4, "text is 'x', which is not a number"),
        (3, "float is 'nan', which is not a number"),
        (4, "float is '', which is not a number"),
    ]


def test_a_line_deep_in_a_table_is_still_named(tmp_path, monkeypatch):
    """Would catch: lines counted from the beginning of a block."""
    monkeypatch.setattr(module, "ROWS", 5)
    lines = [f"{n},{n}" for n in range(2, 30)]
    lines[20] = "22,x"
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(("a,b\n" + "\n\n".join(lines)).encode()))
    found = read_columns(path, ("a", "b"), (), raise_first, numeric=("b",))
    with pytest.raises(DataError, match=r"t\.csv\.gz line 42: b is 'x', which is not a number"):
        found.numbers("b", raise_first)
    text = "a,b\n" + "1,2\n" * 12
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode() + "Küche,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.csv line 14: this is not UTF-8 text"):
        read_columns(path, ("a", "b"), (), raise_first)


def test_charades_says_in_which_of_its_files_a_video_is_missing(tmp_path):
    """Would catch: a user sent to a videos.csv that Charades does not have."""
    root = charades(tmp_path / "d")
    head = "video,frame,category,x1,y1,x2,y2\n"
    (root / "boxes.csv").write_text(head + "46GP9,1,cup,1,1,9,9\n")
    with pytest.raises(
        DataError, match=r"'46GP9' is not in Charades_v1_train\.csv or Charades_v1_"
    ):
        load(root)
    (root / "boxes.csv").write_text(head + "46GP8,99,cup,1,1,9,9\n")
    with pytest.raises(DataError, match=r"or the video in Charades_v1_train\.csv or Char"):
        load(root)


def test_boxes_for_another_size_of_the_videos(tmp_path):
    """Would catch: boxes of the large copy cut to the small one, or the other way, in silence."""
    root = charades(tmp_path / "d")
    head = "video,frame,category,x1,y1,x2,y2\n"
    (root / "boxes.csv").write_text(head + "46GP8,1,cup,100,90,128,96\n")
    with pytest.raises(DataError, match=r"outside the frame of 64x48\. .*for a larger copy of the"):
        load(root)
    small = "".join(f"46GP8,{n},cup,{n % 9},1,31,23\n" for n in range(40))
    (root / "boxes.csv").write_text(head + small)
    assert any("are they for a smaller copy" in note for note in examine(root).notes)
    (root / "boxes.csv").write_text(head + small + "46GP8,40,cup,20,20,62,47\n")
    assert not any("smaller copy" in note for note in examine(root).notes)


def test_a_table_of_charades_is_written_only_if_it_reads_back_right(tmp_path):
    """Would catch: frame 24, at one second, read back as the picture at 0.8 seconds."""
    for fps, fits in ((24, True), (30, False)):
        root = charades(tmp_path / str(fps), fps)
        (root / "boxes.csv").write_text("video,frame,category,x1,y1,x2,y2\n46GP8,24,cup,1,1,9,9\n")
        out = tmp_path / f"{fps} as table"
        if fits:
            write_table(load(root), out)
            assert (out / "boxes.csv").exists()
            continue
        with pytest.raises(
            DataError, match=r"has 60 frames, 30 a second, and the dataset counts 48"
        ):
            write_table(load(root), out)
        assert not out.exists()

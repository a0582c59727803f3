"""What a user points at: what is no video, what is cut off, what has no even rate."""

import io
from dataclasses import replace
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import av
import numpy as np
import pytest
from PIL import Image

from glidn.cli import main
from glidn.detectors import Detections
from glidn.errors import DataError
from glidn.prediction import sources
from glidn.prediction.finding import detect, noted
from glidn.prediction.live import Stream
from glidn.prediction.watch import rows_of
from glidn.types import Track, Video
from glidn.video import write_video

FPS = 20.0


def film(path: Path, times: np.ndarray | None = None, frames: int = 60) -> Path:
    """Grey frames, at an even rate or shown at the given milliseconds."""
    images = [np.full((48, 64, 3), 40 + 2 * frame, np.uint8) for frame in range(frames)]
    if times is None:
        write_video(path, images, FPS)
        return path
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for image, at in zip(images, times.tolist(), strict=False):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = int(at), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_rate_that_varies_is_noticed_wherever_it_does(tmp_path):
    """Would catch: a rule that looks at the longest gap only, and misses a slow second half."""
    quick, late = np.arange(30) * 20, 600 + np.arange(30) * 150
    uneven = sources.open_file(film(tmp_path / "uneven.mp4", np.concatenate([quick, late])))
    even = sources.open_file(film(tmp_path / "even.mp4"))
    rounded = sources.open_file(film(tmp_path / "ms.mp4", (np.arange(60) * 33.37).round()))
    assert [sources.unsteady(video) for video in (uneven, even, rounded)] == [True, False, False]


def test_a_file_that_holds_less_than_it_says_is_noticed(tmp_path):
    path = tmp_path / "whole.mkv"
    times = np.arange(60) * 50
    film(path, times)
    assert sources.ends_early(sources.open_file(path)) == ""
    video = sources.open_file(path)
    cut = replace(video, frames=30)
    assert "3.0 s, and its pictures end after 1.5 s" in sources.ends_early(cut)


def still(folder: Path) -> Path:
    Image.new("RGB", (64, 64)).save(folder / "still.jpg")
    return (folder / "still.jpg").rename(folder / "still.mp4")


def sound(folder: Path) -> Path:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def half(folder: Path) -> Path:
    """Without its end, where an mp4 says what is in it."""
    path = folder / "half.mp4"
    times = np.arange(60) * 50
    content = film(folder / "whole.mp4", times).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (still, "is a still image, and what is done shows in motion; give an mp4"),
        (sound, "holds sound and no picture; give an mp4"),
        (half, "begins as an mp4 does, and has no end: it was cut off; copy"),
        (lambda folder: film(folder / "one.mp4", frames=1), "holds a single picture"),
        (lambda _: Path("/dev/null"), "is neither a file nor a folder"),
    ],
)
def test_what_is_no_video_is_told_by_its_content(made, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        sources.find([str(made(tmp_path))], 30)[0].open()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--every", "inf"], "--every is inf; it must be above 0"),
        (["--window", "0"], "--window is 0; it must be above 0"),
        (["--out", "{file}"], "is a file; name a folder"),
        (["--only", "a"], "--only a chooses videos of a dataset"),
    ],
)
def test_options_that_cannot_be_are_one_sentence(words, sentence, tmp_path, capsys):
    video = film(tmp_path / "film.mp4", frames=3)
    filled = [word.format(file=video) for word in words]
    assert main(["predict", str(video), "--run", str(tmp_path), *filled]) == 2
    assert sentence in capsys.readouterr().err


def steady(frames: np.ndarray) -> list[Detections]:
    box = np.array([[10, 10, 40, 40]], np.float32)
    return [Detections(box, np.array([0.9], np.float32), ("cup",))] * len(frames)


@pytest.mark.parametrize("every", [1, 20, 40, 60])
def test_seldom_looks_find_what_stays(every, tmp_path):
    """Would catch: tracks that end between two looks, and a single look that confirms nothing."""
    video = sources.open_file(film(tmp_path / "film.mp4"))
    rows = list(detect(video, steady, every))
    assert [frame for frame, _ in rows] == list(range(0, 60, every))
    assert {box.track for _, boxes in rows for box in boxes} == {"cup 1"}
    assert all(len(boxes) == 1 for _, boxes in rows)


def test_a_table_that_was_written_says_the_same_when_it_is_read(tmp_path):
    """A detector's boxes are not filled between its looks; people's key frames are."""
    video = sources.open_file(film(tmp_path / "film.mp4"))
    table = tmp_path / "boxes.csv"
    with table.open("w") as file:
        found = list(noted(detect(video, steady, 5), video.name, file))
    again = list(rows_of(sources.with_boxes(video, table, "person")))
    assert [frame for frame, _ in again] == [frame for frame, _ in found]
    drawn = Track("c", "cup", np.array([0, 10]), np.float32([[0, 0, 9, 9], [10, 0, 19, 9]]))
    keyed: Video = replace(video, tracks=(drawn,))
    assert [frame for frame, _ in rows_of(keyed)] == list(range(11))


def test_a_recording_behind_an_address_is_not_watched_as_if_live(tmp_path):
    content = film(tmp_path / "film.mp4").read_bytes()

    class Serve(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Serve) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(DataError, match="is a recording of 3 s and nothing live; download it"):
            Stream(f"http://127.0.0.1:{server.server_port}/film.mp4")
        server.shutdown()


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    from glidn.cli import progress

    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with progress.progress_bar() as report:
        for step in range(100):
            now[0] = 2.0 * step
            report("training", step, 100)
    import sys

    said = sys.stderr.getvalue().splitlines()
    assert said == [
        "glidn: training: 30 of 100",
        "glidn: training: 60 of 100",
        "glidn: training: 90 of 100",
    ]

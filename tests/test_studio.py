"""The studio's answers: its limits, whose is what, cancelling, corrections, and no file left."""

import contextlib
import socket
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import make_studio
from glidn.prediction.predict import Boxes
from glidn.prediction.sources import Source, open_file
from glidn.studio.jobs import MOST_JOBS
from glidn.video import write_video


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_studio.run(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_studio.video(tmp_path_factory.mktemp("clip") / "clip.mp4").read_bytes()


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A studio's address, and the folder of its files."""
    folder = tmp_path / "files"
    with make_studio.served(make_studio.studio(trained, folder)) as address:
        yield address, folder


@pytest.fixture
def client(place: tuple[str, Path]) -> Iterator[httpx.Client]:
    with browser(place[0]) as found:
        yield found


@contextlib.contextmanager
def browser(address: str) -> Iterator[httpx.Client]:
    """With a session of its own."""
    with httpx.Client(base_url=address, timeout=30) as found:
        found.get("/")
        yield found


def drop(client: httpx.Client, content: bytes, name: str = "clip.mp4") -> httpx.Response:
    return client.post("/api/jobs", params={"name": name}, content=content)


def done(client: httpx.Client, content: bytes) -> str:
    job = drop(client, content).json()["id"]
    assert make_studio.until_done(client, job)["task"]["state"] == "done"
    return job


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


def test_a_video_is_watched_and_its_results_can_be_downloaded(client, clip):
    job = done(client, clip)
    found = client.get(f"/api/jobs/{job}").json()
    assert found["name"] == "clip.mp4" and found["frames"] == make_studio.FRAMES
    assert [track["category"] for track in found["tracks"]] == ["person", "cup"]
    assert found["result"]["detector"] == "two colours"
    assert found["result"]["video"] == "clip.mp4", "no path of this machine"
    for name, begins in {
        "result.json": b"{",
        "actions.csv": b"label,start",
        "boxes.csv": b"video,frame",
        "graph.graphml": b"<?xml",
    }.items():
        answer = client.get(f"/api/jobs/{job}/files/{name}")
        assert answer.content.startswith(begins)
        assert f"clip.{name}" in answer.headers["content-disposition"]
    assert refused(client.get(f"/api/jobs/{job}/files/annotated.mp4"), 404).endswith("drawn yet.")
    client.post(f"/api/jobs/{job}/draw")
    make_studio.until_done(client, job)
    assert b"ftyp" in client.get(f"/api/jobs/{job}/files/annotated.mp4").content[:16]
    assert "no such file" in refused(client.get(f"/api/jobs/{job}/files/upload"), 404)
    refused(client.get(f"/api/jobs/{job}/files/..%2Fupload"), 404)


def test_a_player_can_seek(client, clip):
    """Our own videos are played as they are, and by parts."""
    job = done(client, clip)
    part = client.get(f"/api/jobs/{job}/video", headers={"Range": "bytes=4-7"})
    assert part.status_code == 206 and part.content == b"ftyp"
    assert client.get(f"/api/jobs/{job}/video").content == clip


def test_what_browsers_do_not_play_is_copied(client, tmp_path):
    import av

    path = tmp_path / "old.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in range(12):
            picture = make_studio._picture((50, 12), frame)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    job = drop(client, path.read_bytes(), "old.avi").json()["id"]
    assert make_studio.until_done(client, job)["task"]["state"] == "done"
    (tmp_path / "copy.mp4").write_bytes(client.get(f"/api/jobs/{job}/video").content)
    copy = open_file(tmp_path / "copy.mp4")
    assert (copy.frames, copy.width, copy.height) == (12, 96, 64)


def test_removing_a_box_changes_the_scores_and_undoing_gives_them_back(client, clip):
    job = done(client, clip)
    before = client.get(f"/api/jobs/{job}").json()
    cup = next(track["track"] for track in before["tracks"] if track["category"] == "cup")
    lost = next(
        effect["change"]
        for effect in before["result"]["windows"][0]["effects"]
        if effect["track"] == cup
    )
    assert abs(lost) > 0.01

    def score(changes: dict) -> dict:
        assert client.post(f"/api/jobs/{job}/score", json={"changes": changes}).is_success
        assert make_studio.until_done(client, job)["task"]["state"] == "done"
        return client.get(f"/api/jobs/{job}").json()

    after = score({cup: None})
    best = max(before["result"]["scores"], key=before["result"]["scores"].get)
    # What a removal does is what its deletion effect said.
    change = after["result"]["scores"][best] - before["result"]["scores"][best]
    assert change == pytest.approx(-lost, abs=2e-3)
    assert after["before"] == before["result"]["scores"]
    assert after["result"]["detector"] == "two colours; 1 removed by hand"
    assert cup not in client.get(f"/api/jobs/{job}/files/boxes.csv").text
    assert len(after["tracks"]) == 2, "what was removed can still be taken back"

    renamed = score({cup: "person"})
    assert renamed["result"]["scores"] != before["result"]["scores"]
    assert renamed["result"]["detector"] == "two colours; 1 renamed by hand"
    again = score({})
    assert again["result"] == before["result"] and again["before"] is None


def test_changes_that_cannot_be(client, clip):
    job = done(client, clip)
    path = f"/api/jobs/{job}/score"
    assert "no JSON" in refused(client.post(path, content=b"{"), 400)
    assert "written" in refused(client.post(path, json={"changes": {"cup 2": 3}}), 400)
    client.post(path, json={"changes": {"cat 9": None}})
    task = make_studio.until_done(client, job)["task"]
    assert (task["state"], task["error"]) == ("failed", "clip.mp4 has no box called 'cat 9'.")
    assert client.get(f"/api/jobs/{job}").is_success, "what was there is still there"


def not_videos(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Name -> what it holds, and what is said."""
    Image.new("RGB", (64, 48)).save(folder / "photo.png")
    Image.new("RGB", (64, 48)).save(folder / "one.gif")
    with wave.open(str(folder / "song.wav"), "wb") as song:
        song.setnchannels(1)
        song.setsampwidth(2)
        song.setframerate(8000)
        song.writeframes(bytes(16000))
    write_video(folder / "tiny.mp4", [np.zeros((1, 1, 3), np.uint8)] * 5, 5)
    write_video(folder / "single.mp4", [np.zeros((32, 32, 3), np.uint8)], 5)
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    said = {
        "photo.png": "a still image",
        "one.gif": "a still image",
        "song.wav": "sound and no picture",
        "tiny.mp4": "2x2 pixels; nothing can be seen",
        "single.mp4": "a single picture",
    }
    found = {name: ((folder / name).read_bytes(), words) for name, words in said.items()}
    return found | {
        "notes.mp4": (b"Milk, bread, a video.\n" * 50, "no video that can be read"),
        "list.mp4": (playlist, "no video that can be read"),
        "concat.mp4": (b"ffconcat version 1.0\nfile /etc/passwd\n", "no video that can be read"),
        "half.mp4": (
            b"\x00\x00\x00\x14ftypisom" + bytes(999),
            "was cut off; copy or download it again",
        ),
        "empty.mp4": (b"", "is empty"),
    }


def test_what_is_no_video_is_refused_by_its_content_and_leaves_nothing(client, place, tmp_path):
    for name, (content, words) in not_videos(tmp_path).items():
        # Whatever it is called.
        answer = drop(client, content, Path(name).stem + ".mp4")
        assert words in refused(answer, 400 if not content else 415)
        assert str(place[1]) not in answer.text
    assert client.get("/api/jobs").json() == []
    assert list(place[1].iterdir()) == []


def test_a_video_that_was_cut_off_says_so(client, clip, place):
    said = refused(drop(client, clip[: len(clip) // 2], "cut.mp4"), 415)
    assert said.startswith("cut.mp4 ") and str(place[1]) not in said
    assert list(place[1].iterdir()) == []


def test_too_large_an_upload_is_refused_before_and_while_it_comes(client, place):
    assert "larger than 2 MB" in refused(drop(client, bytes(2_000_001)), 413)

    def endless() -> Iterator[bytes]:
        for _ in range(400):
            yield bytes(10_000)

    # Without a length in its head, it is counted.
    assert "larger than 2 MB" in refused(
        client.post("/api/jobs", params={"name": "long.mp4"}, content=endless()), 413
    )
    assert list(place[1].iterdir()) == []


def test_two_gigabytes_are_refused_at_once(place):
    host, port = place[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        head = f"POST /api/jobs?name=a.mp4 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2147483648"
        raw.sendall(f"{head}\r\n\r\n".encode() + bytes(1000))
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_an_upload_that_breaks_off_leaves_nothing(place, clip):
    host, port = place[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        head = f"POST /api/jobs?name=a.mp4 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(clip)}"
        raw.sendall(f"{head}\r\n\r\n".encode() + clip[:1000])
        make_studio.wait(lambda: any(place[1].glob("*/upload")))
        assert len(list(place[1].iterdir())) == 1
    make_studio.wait(lambda: not list(place[1].iterdir()))
    assert list(place[1].iterdir()) == []


def test_a_browser_sees_its_own_jobs_only(place, client, clip):
    job = done(client, clip)
    with browser(place[0]) as other:
        assert other.get("/api/jobs").json() == []
        for method, path in [
            ("GET", ""),
            ("GET", "/video"),
            ("GET", "/files/result.json"),
            ("POST", "/score"),
            ("POST", "/draw"),
            ("POST", "/cancel"),
            ("DELETE", ""),
        ]:
            assert "not here" in refused(other.request(method, f"/api/jobs/{job}{path}"), 404)
        done(other, clip)
    assert [it["id"] for it in client.get("/api/jobs").json()] == [job]


def test_jobs_can_be_cancelled_and_removed(trained, clip, tmp_path):
    folder = tmp_path / "files"
    studio = make_studio.studio(trained, folder, slow=0.05)
    with make_studio.served(studio) as address, browser(address) as one, browser(address) as two:
        jobs = [drop(one, clip).json()["id"] for _ in range(3)]
        late = drop(two, clip).json()["id"]
        assert one.post(f"/api/jobs/{jobs[2]}/cancel").json()["task"]["state"] == "cancelled"
        make_studio.wait(lambda: one.get("/api/jobs").json()[0]["task"]["state"] == "working")
        assert "not done" in refused(one.post(f"/api/jobs/{jobs[0]}/draw"), 409)
        one.post(f"/api/jobs/{jobs[0]}/cancel")
        assert make_studio.until_done(one, jobs[0])["task"]["state"] == "cancelled"
        assert "not done" in refused(one.get(f"/api/jobs/{jobs[0]}"), 409)
        assert make_studio.until_done(two, late)["task"]["state"] == "done"
        assert one.delete(f"/api/jobs/{jobs[1]}").status_code == 204
        make_studio.wait(lambda: len(list(folder.iterdir())) == 1)
    assert not folder.exists(), "in the end, no file is left"


def test_a_browser_has_only_so_many_videos(client, place, monkeypatch):
    monkeypatch.setattr("glidn.studio.jobs.MOST_JOBS", 0)
    assert "remove one first" in refused(drop(client, b"x"), 429)
    assert MOST_JOBS > 1


def test_other_pages_and_other_names_are_turned_away(client, clip):
    assert "another page" in refused(
        client.post("/api/jobs", content=clip, headers={"Origin": "http://evil.example"}), 403
    )
    assert (
        client.post("/api/jobs", content=b"", headers={"Sec-Fetch-Site": "cross-site"}).status_code
        == 403
    )
    assert "by that name" in refused(client.get("/", headers={"Host": "evil.example"}), 421)
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_beyond_this_machine_the_token_is_needed(trained, tmp_path, clip):
    studio = make_studio.studio(trained, tmp_path / "files")
    with make_studio.served(studio, "secret") as address, httpx.Client(base_url=address) as other:
        for path in ("/", "/static/app.js", "/api/jobs", "/?token=wrong"):
            assert "?token=" in refused(other.get(path), 401)
        assert refused(drop(other, clip), 401)
        assert other.get("/api/jobs", headers={"X-Glidn-Token": "secret"}).is_success
        answer = other.get("/?token=secret")
        assert answer.status_code == 303 and answer.headers["location"] == "/"
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert other.get("/").is_success


def test_boxes_may_come_from_a_table(trained, tmp_path, clip):
    table = tmp_path / "own.csv"
    rows = [f"clip,{frame},thing,cup,50,12,62,24," for frame in range(0, make_studio.FRAMES, 4)]
    head = "video,frame,track,category,x1,y1,x2,y2,score"
    table.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    made = make_studio.studio(trained, tmp_path / "files")
    voice = replace(made.voice, boxes=Boxes("boxes of own.csv"), table=table)
    with make_studio.served(replace(made, voice=voice)) as address, browser(address) as client:
        found = client.get(f"/api/jobs/{done(client, clip)}").json()
        assert [track["track"] for track in found["tracks"]] == ["thing"]
        assert "no person was found, so nobody acts." in found["result"]["notes"]
        other = drop(client, clip, "other.mp4").json()["id"]
        said = make_studio.until_done(client, other)["task"]["error"]
        assert "no box of the video other" in said


def test_without_a_detector_uploads_are_refused_with_the_reason(trained, tmp_path, clip):
    made = make_studio.studio(trained, tmp_path / "files")
    voice = replace(made.voice, boxes=None, refusal="only the examples can be opened: offline.")
    with make_studio.served(replace(made, voice=voice)) as address, browser(address) as client:
        assert "offline" in refused(drop(client, clip), 503)
        assert "offline" in client.get("/api/about").json()["refusal"]


def test_examples_are_offered_with_their_own_boxes(trained, tmp_path):
    path = make_studio.video(tmp_path / "shown.mp4")
    example = Source("shown", lambda: open_file(path))
    studio = make_studio.studio(trained, tmp_path / "files", examples=(example,))
    with make_studio.served(studio) as address, browser(address) as client:
        assert client.get("/api/about").json()["examples"] == ["shown"]
        job = client.post("/api/examples/0").json()["id"]
        assert make_studio.until_done(client, job)["task"]["state"] == "done"
        assert "1 example" in refused(client.post("/api/examples/7"), 404)
    assert path.exists(), "an example is not ours to remove"

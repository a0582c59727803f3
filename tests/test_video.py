"""Sparse reading against a full sequential decode, and one sentence for every broken file."""

import av
import numpy as np
import pytest
from PIL import Image

from glidn.errors import DataError
from glidn.video import FrameFolder, VideoFile, frame_paths, image_size, write_video

WIDTH, HEIGHT, FRAMES, GOP = 96, 64, 53, 12


def moving(frames=FRAMES, width=WIDTH, height=HEIGHT):
    """Frames that all differ, with a corner that tells which way is up."""
    for n in range(frames):
        image = np.full((height, width, 3), 40, np.uint8)
        image[:, (5 * n) % width :][:, :9] = [250, 200, 4 * n]
        image[:16, :16] = [255, 0, 0]
        yield image


def encode(path, codec="libx264", frames=FRAMES):
    """GOP of 12 with B-frames, so that decoding order differs from showing order."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = GOP
        if codec == "libx264":
            stream.options = {"bf": "2"}
        for image in moving(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4")],
)
def test_any_frames_equal_those_of_a_full_decode(tmp_path, name, codec):
    path = encode(tmp_path / name, codec)
    everything = decoded(path)
    video = VideoFile(path)
    assert (video.frames, video.fps) == (FRAMES, 25)
    rng = np.random.default_rng(5)
    for wanted in (
        rng.choice(FRAMES, 11, replace=False),
        np.array([52, 0, 13, 13, 11, 12]),  # unsorted, repeated, on both sides of a key frame
        np.arange(FRAMES),
    ):
        np.testing.assert_array_equal(video.read(wanted), everything[wanted])


def test_times_follow_the_frame_rate(tmp_path):
    video = VideoFile(encode(tmp_path / "a.mp4"))
    np.testing.assert_allclose(video.times, np.arange(FRAMES) / 25, atol=1e-9)


def test_a_video_filmed_upright_is_read_upright(tmp_path):
    path = encode(tmp_path / "a.mp4", frames=3)
    # The display matrix of the track header: x' = -y + height, y' = x, which turns the picture
    # a quarter clockwise, so that its first corner is shown at the upper right.
    one = 1 << 16
    plain = b"".join(
        v.to_bytes(4, "big", signed=True) for v in (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    )
    turned = b"".join(
        v.to_bytes(4, "big", signed=True) for v in (0, one, 0, -one, 0, 0, HEIGHT * one, 0, 1 << 30)
    )
    data = path.read_bytes()
    at = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + len(plain) :])

    video = VideoFile(path)
    image = video.read(np.array([1]))[0]
    assert image.shape == (WIDTH, HEIGHT, 3) and (video.width, video.height) == (HEIGHT, WIDTH)
    red = (image[..., 0] > 200) & (image[..., 1] < 60)
    assert red[:12, -12:].all() and not red[-16:].any() and not red[:, :16].any()


def test_written_videos_are_even_and_come_back(tmp_path):
    path = tmp_path / "new" / "a.mp4"
    write_video(path, moving(7, width=75, height=51), fps=30000 / 1001)
    video = VideoFile(path)
    assert (video.width, video.height, video.frames) == (76, 52, 7)
    assert video.fps == pytest.approx(29.97, abs=0.01)
    written = np.stack(list(moving(7, width=75, height=51)))
    found = video.read(np.arange(7))[:, :51, :75]
    assert np.abs(found.astype(int) - written).mean() < 6  # lossy, and colour at half resolution
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


def test_nothing_is_written_for_no_frames_or_a_failing_source(tmp_path):
    with pytest.raises(DataError, match="no frames"):
        write_video(tmp_path / "a.mp4", [], fps=30)

    def failing():
        yield from moving(2)
        raise DataError("the source broke off.")

    with pytest.raises(DataError, match="broke off"):
        write_video(tmp_path / "a.mp4", failing(), fps=30)
    assert list(tmp_path.iterdir()) == []


def test_broken_videos_are_one_sentence_that_names_the_file(tmp_path):
    path = encode(tmp_path / "a.mp4")
    data = path.read_bytes()
    with pytest.raises(DataError, match=r"a\.mp4 has no frame 53: it has 53"):
        VideoFile(path).read(np.array([1, FRAMES]))
    with pytest.raises(DataError, match=r"nowhere\.mp4 does not exist"):
        VideoFile(tmp_path / "nowhere.mp4").read(np.array([0]))
    for name, content in {"empty.mp4": b"", "text.mp4": b"no video" * 99}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name} cannot be decoded"):
            VideoFile(tmp_path / name).read(np.array([0]))
    write_video(tmp_path / "cut.mp4", moving(), fps=30)  # its index lies at the front
    data = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(DataError, match=r"cut\.mp4 is damaged or cut off after frame \d+"):
        VideoFile(tmp_path / "cut.mp4").read(np.array([0]))


def test_damaged_bytes_do_not_pass_silently(tmp_path):
    """FFmpeg paints over most of such damage and says nothing, unless it is told otherwise."""
    path = encode(tmp_path / "a.mp4")
    whole = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    noticed = 0
    for place, size in packets:
        data = bytearray(whole)
        middle = slice(place + size // 2, place + size // 2 + 8)
        data[middle] = bytes(byte ^ 0xFF for byte in data[middle])
        path.write_bytes(data)
        try:
            VideoFile(path).read(np.arange(FRAMES))
        except DataError as error:
            assert "a.mp4" in str(error)
            noticed += 1
    assert noticed > 0.9 * len(packets)  # 51 of 53; without err_detect 5


def folder(root, count, width=13, height=7):
    for n in range(1, count + 1):
        image = np.full((height, width, 3), n, np.uint8)
        Image.fromarray(image).save(root / f"RGB_{n}.png")
        Image.fromarray(image[..., 0]).save(root / f"Depth_{n}.png")
    (root / "notes.txt").write_text("no image")
    return frame_paths(root)


def test_images_are_ordered_by_number_and_depth_is_passed_over(tmp_path):
    paths = folder(tmp_path, 11)
    assert [path.name for path in paths] == [f"RGB_{n}.png" for n in range(1, 12)]
    images = FrameFolder(paths).read(np.array([10, 0, 10]))
    assert images.shape == (3, 7, 13, 3) and images[:, 0, 0, 0].tolist() == [11, 1, 11]
    assert image_size(paths[0]) == (13, 7)


def test_only_the_asked_images_are_opened(tmp_path):
    paths = folder(tmp_path, 5)
    for n in (1, 2, 4, 5):
        (tmp_path / f"RGB_{n}.png").write_bytes(b"broken")
    assert FrameFolder(paths).read(np.array([2]))[0, 0, 0, 0] == 3


def test_broken_images_are_one_sentence_that_names_file_and_frame(tmp_path):
    paths = folder(tmp_path, 4)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    paths[2].unlink()
    Image.new("RGB", (5, 5)).save(paths[3])
    frames = FrameFolder(paths)
    with pytest.raises(DataError, match=r"RGB_2\.png \(frame 1\) cannot be read"):
        frames.read(np.array([1]))
    with pytest.raises(DataError, match=r"RGB_3\.png \(frame 2\).*does not exist"):
        frames.read(np.array([0, 2]))
    with pytest.raises(DataError, match=r"RGB_4\.png \(frame 3\) is 5x5 and RGB_1\.png is 13x7"):
        frames.read(np.array([0, 3]))
    with pytest.raises(DataError, match="has no frame 4: it has 4"):
        frames.read(np.array([4]))

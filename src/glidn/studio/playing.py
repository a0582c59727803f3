"""A video as every browser plays it: the file itself where that does, or a copy."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from glidn.prediction.sources import unsteady
from glidn.types import Video
from glidn.video import VideoFile, write_video

MOST_SIDE = 1280  # of a copy, pixels


def playable(video: Video, folder: Path, report: Callable[[float], None]) -> Path:
    """The file to play; frame n of the video is shown from n / fps on.

    Args:
        folder: where a copy goes.
        report: called with the share that is done.

    Raises:
        DataError: the video cannot be decoded.
    """
    if isinstance(video.pixels, VideoFile) and not unsteady(video) and _plays(video.pixels.path):
        return video.pixels.path
    copy = folder / "player.mp4"
    write_video(copy, _frames(video, report), video.fps)
    return copy


def _plays(path: Path) -> bool:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        return (
            "mp4" in container.format.name
            and codec.codec.canonical_name == "h264"
            and codec.pix_fmt in ("yuv420p", "yuvj420p")
            and not stream.start_time
        )


def _frames(video: Video, report: Callable[[float], None]) -> Iterator[np.ndarray]:
    assert video.pixels is not None
    scale = min(MOST_SIDE / max(video.width, video.height), 1)
    size = (round(video.width * scale), round(video.height * scale))
    for number, image in enumerate(video.pixels.each(np.arange(video.frames))):
        report(number / video.frames)
        yield image if scale == 1 else np.asarray(Image.fromarray(image).resize(size))

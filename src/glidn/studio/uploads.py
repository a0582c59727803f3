"""A dropped file -> a video on the disk, or one sentence that says why not.

What a file is, its content says; its name is only shown.
"""

from collections.abc import AsyncIterator
from pathlib import Path

from glidn.errors import DataError, GlidnError
from glidn.prediction import sources
from glidn.types import Video

# Formats that hold all they need. FFmpeg also reads playlists, which name other files and
# addresses; those are not among them.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,mp3,wav,flac,aac,m4v"
)
MOST_PIXELS = 8192 * 4320
LONGEST_NAME = 120


class RefusedError(GlidnError):
    """What the studio does not do, with the status of its answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def shown_name(name: str) -> str:
    """A file's name as it may be shown: no folders, nothing unprintable, not too long."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    if len(clean) > LONGEST_NAME:
        clean = clean[: LONGEST_NAME - 8] + clean[-8:]
    return clean or "video"


def too_large(name: str, most: int) -> RefusedError:
    """The answer to a file of more than `most` bytes."""
    return RefusedError(
        413, f"{name} is larger than {most / 1e6:,.0f} MB; cut it, or start with --most-mb."
    )


async def receive(chunks: AsyncIterator[bytes], path: Path, name: str, most: int) -> None:
    """Write an upload as it comes in; of one that is too large or cut off, nothing stays.

    Raises:
        RefusedError: it is too large, empty, or the disk is full.
    """
    count = 0
    try:
        with path.open("xb") as file:
            async for chunk in chunks:
                count += len(chunk)
                if count > most:
                    raise too_large(name, most)
                file.write(chunk)
        if not count:
            raise RefusedError(400, f"{name} is empty; {sources.WANTED}.")
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RefusedError(
            507, f"{name} could not be stored: {error.strerror or error}."
        ) from error
    except BaseException:  # the browser has gone, or the server ends
        path.unlink(missing_ok=True)
        raise


def open_upload(path: Path, name: str) -> Video:
    """The video that was uploaded as `name`.

    Raises:
        RefusedError: it is something else, or cannot be decoded.
    """
    try:
        sources.check_content(path, FORMATS)
        video = sources.open_file(path)
    except DataError as error:
        raise RefusedError(415, without_path(str(error), path, name)) from error
    if video.width * video.height > MOST_PIXELS:
        raise RefusedError(
            415,
            f"{name} is {video.width}x{video.height} pixels; the most is as many as 8192x4320 "
            "have. Scale it down.",
        )
    return video


def without_path(sentence: str, path: Path, name: str) -> str:
    """A sentence about a stored file, told of the file that its owner knows."""
    return sentence.replace(f"the video {path}", name).replace(str(path), name)

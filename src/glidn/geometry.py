"""Geometry nodes: where a box is, how large, how it moves and what it holds; no pixels.

Everything is read off a box's own track, so the features exist for any detector's boxes at any
frame rate. Motion is described in octaves of time: a hand that scrubs and a hand that carries may
cover the same ground, but at different rates. How these features were chosen, by cross-validation
within the training subjects, is told in results/cad120_tracks.md.
"""

import numpy as np
from scipy import fft
from scipy.ndimage import median_filter

from glidn.boxes import fill_gaps
from glidn.types import Boxes, Track, Video

# Lengths are in frame widths and heights, times in seconds.
BOX_NOISE = 0.01  # the jitter of annotated boxes: 5 px of 480
GLITCH = 0.3  # longer than a tracker's glitch, shorter than one stroke of a hand
OCTAVES = (0.15, 0.3, 0.6, 1.2, 2.4)  # from a glitch to a whole sub-activity of 2 to 5 s
PERIOD = 2.0  # an octave's energy is averaged over two of its sigmas: at least one period
FLOOR = 1e-3  # half a pixel: a logarithm of less motion says nothing
TYPICAL = 15.0  # only centres the logarithm of the duration
WIDTH = 85


def geometry(video: Video, boxes: Boxes, categories: tuple[str, ...]) -> np.ndarray:
    """Place, size, motion, duration and category of every box.

    Args:
        boxes: of `video`, at its T steps.
        categories: the vocabulary; a category outside it is all zeros.

    Returns:
        (T, N, 85 + len(categories)) float32, zeros in padding: 4 centre and size; 32
        displacements of edges, centre and size from the track's start, median and end, and from
        start to end; 40 the motion of the four edges in five octaves, each the signed band and
        its log energy; 8 log spreads over the track; 1 log duration; then the category, one-hot.
    """
    out = np.zeros((*boxes.real.shape, WIDTH + len(categories)), np.float32)
    seconds = (boxes.frames[-1] - boxes.frames[0] + 1) / video.fps
    out[..., WIDTH - 1] = np.log(seconds / TYPICAL)
    for slot, track in enumerate(video.tracks):
        steps = boxes.real[:, slot]
        filled = fill_gaps(track)
        rows = boxes.frames[steps] - filled.frames[0]
        out[steps, slot, : WIDTH - 1] = _of_track(filled, video)[rows]
        out[:, slot, WIDTH:] = [track.category == known for known in categories]
    return out * boxes.real[..., None]


def _of_track(track: Track, video: Video) -> np.ndarray:
    """(F, 84): place and motion in every frame of a track without gaps."""
    scale = [video.width, video.height, video.width, video.height]
    window = round(GLITCH * video.fps) | 1
    edges = median_filter(track.xyxy / scale, (window, 1), mode="nearest")  # (F, 4)
    low, high = edges[:, :2], edges[:, 2:]
    place = np.concatenate([(low + high) / 2, high - low], -1)
    shape = np.concatenate([edges, place], -1)  # (F, 8)
    start, end = shape[:1], shape[-1:]
    parts = [
        place,
        _compress(shape - start),
        _compress(shape - np.median(shape, 0)),
        _compress(shape - end),
        _compress(end - start),
        *_octaves(edges, video.fps),
        np.log(shape.std(0, keepdims=True) + FLOOR),
    ]
    return np.concatenate([np.broadcast_to(p, (len(edges), p.shape[-1])) for p in parts], -1)


def _octaves(edges: np.ndarray, fps: float) -> list[np.ndarray]:
    """Differences of Gaussians over time: per octave the (F, 4) band, and its log energy."""
    sigmas = fps * np.array(OCTAVES)
    coarser = _smooth(edges[None], sigmas)  # (O, F, 4)
    bands = np.concatenate([edges[None], coarser[:-1]]) - coarser
    # By rounding, the mean of next to nothing may be a little less.
    energies = np.maximum(_smooth(bands**2, PERIOD * sigmas), 0)
    each = zip(bands, energies, strict=True)
    return [x for band, energy in each for x in (_compress(band), np.log(np.sqrt(energy) + FLOOR))]


def _smooth(x: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(O or 1, F, D) -> (O, F, D): Gaussian means over F frames, one for each of O sigmas.

    The first and the last frame go on for ever. By Fourier transforms, because the widest Gaussian
    of a video at 30 frames a second takes more than a thousand multiplications a frame.
    """
    frames = x.shape[1]
    halves = [_half(sigma, frames) for sigma in sigmas]
    most = max(map(len, halves)) - 1
    padded = np.pad(x, ((0, 0), (most, most), (0, 0)), mode="edge")
    length = fft.next_fast_len(padded.shape[1], real=True)
    weights = np.zeros((len(sigmas), length))
    for row, half in zip(weights, halves, strict=True):
        row[: len(half)] = half
        row[length - len(half) + 1 :] = half[:0:-1]  # what lies before, in a circle
    spectra = fft.rfft(weights)[..., None] * fft.rfft(padded, length, axis=1)
    return fft.irfft(spectra, length, axis=1)[:, most : most + frames]


def _half(sigma: float, frames: int) -> np.ndarray:
    """A Gaussian's weights of a frame and of those after it, four sigmas or `frames` far.

    From `frames` on, a frame is past the end wherever one stands: the last weight is for them all.
    """
    half = np.exp(-0.5 * (np.arange(int(4 * sigma + 0.5) + 1) / sigma) ** 2)
    half /= 2 * half.sum() - half[0]
    return np.append(half[:frames], half[frames:].sum()) if len(half) > frames else half


def _compress(difference: np.ndarray) -> np.ndarray:
    """Signed: linear for differences like the noise of boxes, logarithmic for large ones."""
    return np.arcsinh(difference / BOX_NOISE)

"""The annotated frame: each mark where it belongs and as asked for, and the rest untouched."""

from dataclasses import replace

import numpy as np
import pytest

from glidn.prediction import overlay, strip
from glidn.prediction.brush import shortened, text_width, wrapped, written
from glidn.prediction.overlay import Line, Overlay, Picture, Seen
from glidn.prediction.strip import Scored, Timeline, clock

GREY = 118
SIZES = ((640, 360), (1280, 720), (3840, 2160))
TIMES = np.arange(19) * 2 + 1.0
TIMELINE = Timeline(("drinking", "reading"), TIMES, np.tile([0.9, 0.0], (19, 1)), 38.0)
NOTHING = Timeline((), np.empty(0), np.empty((0, 0)), 38.0)


def grey(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def seen(x1: float, y1: float, x2: float, y2: float, track: str = "1", person=False) -> Seen:
    return Seen(np.array([x1, y1, x2, y2], np.float32), "cup", track, person)


def drawn(width: int, height: int, boxes=(), lines=(), timeline=TIMELINE, **rest) -> np.ndarray:
    actions, seconds = rest.pop("actions", ()), rest.pop("seconds", 0.0)
    made = Overlay(width, height, timeline, "model m, detector d", **rest)
    out = made.draw(Picture(grey(width, height), boxes, lines, actions, seconds))
    assert out.shape == (made.size[1], made.size[0], 3)
    assert out.dtype == np.uint8
    return out


def changed(out: np.ndarray, width: int, height: int) -> np.ndarray:
    """(height, width) bool: which pixels of a grey frame are no longer so."""
    return (out[:height, :width] != GREY).any(-1)


def without_tags(monkeypatch) -> None:
    monkeypatch.setattr(Overlay, "_draw_tags", lambda *_: None)


@pytest.mark.parametrize("size", [*SIZES, (360, 640), (641, 361), (64, 48), (1, 1), (2000, 7)])
def test_pictures_are_even_and_wide_enough_for_words(size):
    """Catches an odd size, which H.264 would pad, and a strip too narrow to read."""
    wide, high = Overlay(*size, TIMELINE, "m").size
    assert wide % 2 == high % 2 == 0
    assert wide >= 320
    assert size[0] < 320 or wide == size[0] + size[0] % 2
    out = drawn(*size, [seen(0, 0, size[0], size[1])])
    assert out.shape == (*drawn(*size, seconds=38.0).shape[:2], 3)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_box_is_drawn_around_its_pixels(monkeypatch, width, height):
    """Catches exchanged x and y, a wrong scale, and an outline that hides what is in the box."""
    without_tags(monkeypatch)
    x1, y1, x2, y2 = width // 4, height // 3, width // 2, height // 3 * 2
    box = seen(x1, y1, x2, y2)
    out = drawn(width, height, [box])
    ink = overlay.colour(box)
    middle_x, middle_y = (x1 + x2) // 2, (y1 + y2) // 2
    for x, y in ((x1 - 1, middle_y), (x2, middle_y), (middle_x, y1 - 1), (middle_x, y2)):
        assert tuple(out[y, x]) == ink
    marks = changed(out, width, height)
    rim = max(round(width / 640), 1)
    assert not marks[y1 + rim : y2 - rim, x1 + rim : x2 - rim].any()
    far = width // 100
    marks[y1 - far : y2 + far, x1 - far : x2 + far] = False
    assert not marks.any()


def test_a_box_at_the_edge_keeps_its_four_sides(monkeypatch):
    """Catches outlines that are lost where a box reaches out of the frame."""
    without_tags(monkeypatch)
    box = seen(-30, -20, 700, 400)
    out = drawn(640, 360, [box])[:360]
    for y, x in ((0, 320), (359, 320), (180, 0), (180, 639)):
        assert tuple(out[y, x]) == overlay.colour(box)


@pytest.mark.parametrize(
    "box", [(-50, 10, -10, 40), (10, 400, 50, 500), (50, 50, 50, 90), (np.nan, 0, 9, 9)]
)
def test_a_box_outside_of_the_frame_leaves_no_mark(box):
    """Catches labels and lines to what cannot be seen, and a crash at a damaged box."""
    out = drawn(640, 360, [seen(*box), seen(300, 100, 340, 150, "2")], [Line(0, 1, 1.0)])
    alone = drawn(640, 360, [seen(300, 100, 340, 150, "2")])
    np.testing.assert_array_equal(out, alone)


def test_lines_are_as_wide_as_the_attention(monkeypatch):
    """Catches a width that does not follow the strength, or does it the wrong way round."""
    without_tags(monkeypatch)
    boxes = [seen(40, 160, 80, 200), seen(560, 160, 600, 200, "2")]
    without = changed(drawn(640, 360, boxes), 640, 360)
    counts = []
    for strength in (0.0, 0.25, 0.5, 1.0):
        marks = changed(drawn(640, 360, boxes, [Line(0, 1, strength)]), 640, 360)
        counts.append(np.count_nonzero((marks & ~without)[:, 200:400]) / 200)
    steps = np.diff(counts)
    assert (steps > 0.9).all(), counts
    np.testing.assert_allclose(steps[2], 2 * steps[1], rtol=0.25)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_the_head_of_a_line_is_at_its_target(monkeypatch, turn):
    """Catches exchanged ends, and an axis that is not turned back in steep lines."""
    without_tags(monkeypatch)
    ends = [(100, 400), (420, 300)]
    for _ in range(turn):
        ends = [(y, 600 - x) for x, y in ends]
    boxes = [seen(x - 20, y - 20, x + 20, y + 20, str(n)) for n, (x, y) in enumerate(ends)]
    without = changed(drawn(640, 640, boxes), 640, 640)
    out = drawn(640, 640, boxes, [Line(0, 1, 0.3)])
    marks = changed(out, 640, 640) & ~without
    ys, xs = np.nonzero(marks)
    from_end = np.hypot(xs - ends[1][0], ys - ends[1][1])
    from_start = np.hypot(xs - ends[0][0], ys - ends[0][1])
    assert from_start.min() < 4, "it begins in the middle of the listener"
    assert 18 < from_end.min() < 33, "it stops where the target begins"
    near = np.count_nonzero(from_end < 50), np.count_nonzero((from_start > 20) & (from_start < 50))
    assert near[0] > 1.3 * near[1], "the head is at the target"
    # One smooth band: every ring about the start meets it.
    assert len(np.unique(from_start.round())) > 290


def test_a_line_changes_only_what_it_covers(monkeypatch):
    """Catches pixels beside a line that are blended by a little."""
    without_tags(monkeypatch)
    boxes = [seen(40, 40, 60, 60), seen(580, 300, 600, 320, "2")]
    marks = changed(drawn(640, 360, boxes, [Line(0, 1, 0.3)]), 640, 360)
    assert 600 * 4 < marks.sum() < 600 * 9


def test_a_line_there_and_one_back_are_both_seen(monkeypatch):
    """Catches two lines on one another, of which the weaker one is hidden."""
    without_tags(monkeypatch)
    boxes = [seen(40, 160, 80, 200), seen(560, 160, 600, 200, "2")]
    there, back = Line(0, 1, 0.5), Line(1, 0, 0.5)
    both = changed(drawn(640, 360, boxes, [there, back]), 640, 360)[:, 320]
    one = changed(drawn(640, 360, boxes, [there]), 640, 360)[:, 320]
    assert both.sum() == 2 * one.sum()


def test_lines_of_no_length_are_left_out_and_strengths_have_limits():
    """Catches a division by the distance between two boxes with one middle, or a box and itself,
    and lines as wide as the picture.
    """
    boxes = [seen(100, 100, 200, 200), seen(140, 140, 160, 160, "2"), seen(103, 100, 203, 200, "3")]
    bare = drawn(640, 360, boxes)
    assert (drawn(640, 360, boxes, [Line(0, 1, 1.0), Line(0, 0, 1.0)]) == bare).all()
    for beyond, limit in ((9.0, 1.0), (-1.0, 0.0)):
        found = drawn(640, 360, boxes, [Line(0, 2, beyond)])
        assert (found == drawn(640, 360, boxes, [Line(0, 2, limit)])).all()
        assert (found != bare).any()


def test_labels_stay_inside_and_apart(monkeypatch):
    """Catches labels that leave the frame, or lie on each other."""
    found = []
    free = overlay._free

    def noted(box, tag, frame, taken):
        at = free(box, tag, frame, taken)
        found.append(None if at is None else (*at, *(at + tag)))
        return at

    monkeypatch.setattr(overlay, "_free", noted)
    corners = [(0, 0), (600, 0), (0, 330), (600, 330)]
    same = [(300, 150)] * 5
    boxes = [seen(x, y, x + 40, y + 30, str(n)) for n, (x, y) in enumerate(corners + same)]
    drawn(640, 360, boxes)
    assert len(found) == len(boxes)
    assert None not in found
    for number, (x1, y1, x2, y2) in enumerate(found):
        assert x1 >= 0 and y1 >= 0 and x2 <= 640 and y2 <= 360
        for a1, b1, a2, b2 in found[:number]:
            assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1


def test_a_label_without_room_is_left_out_and_none_is_on_another():
    """Catches a search that does not end, or that ends on top of another label."""
    boxes = [seen(30, 30, 60, 60, str(n)) for n in range(400)]
    assert drawn(64, 64, boxes).shape[1] == 320


def test_nothing_changes_where_nothing_is_drawn():
    """Catches a frame that is resampled, or blended by a fraction, on the way."""
    noise = np.random.default_rng(3).integers(0, 256, (360, 640, 3), np.uint8)
    made = Overlay(640, 360, TIMELINE, "m")
    boxes = [seen(100, 200, 160, 260), seen(200, 210, 260, 280, "2", True)]
    out = made.draw(Picture(noise, boxes, [Line(0, 1, 1.0)], (), 3.0))[:360].copy()
    same = (out == noise).all(-1)
    same[170:295, 85:285] = True
    assert same.all()
    bare = made.draw(Picture(noise, (), (), (), 3.0))[:360]
    np.testing.assert_array_equal(bare, noise)


def test_a_tracks_colour_is_its_own_and_persons_are_warm():
    """Catches colours by row or by Python's salted hash, and persons that look like objects."""
    cup, other = seen(0, 0, 9, 9, "cup"), seen(5, 5, 70, 70, "cup")
    assert overlay.colour(cup) == overlay.colour(other) == (146, 156, 255)
    numbered = [seen(0, 0, 9, 9, f"cup {number}") for number in range(1, 8)]
    assert len({overlay.colour(box) for box in numbered}) == 7
    for person in (False, True):
        for number in range(20):
            red, _, blue = overlay.colour(seen(0, 0, 9, 9, str(number), person))
            assert (red > blue) is person


def test_names_say_category_and_track_once():
    """Catches "cup cup 2", and a track that hides a category it only begins like."""
    box = seen(0, 0, 9, 9)
    assert overlay.name(replace(box, track="cup_2")) == "cup 2"
    assert overlay.name(replace(box, track="7")) == "cup 7"
    assert overlay.name(replace(box, track="cupboard 1")) == "cup cupboard 1"


def playhead(out: np.ndarray, height: int) -> float:
    """Where the column is that is white through all rows, but for the rims of its dots."""
    rows = out[height + 30 : height + 68].astype(int).min(-1)
    return float(np.flatnonzero((rows > 200).mean(0) > 0.75).mean())


def test_the_playhead_is_where_the_time_is():
    """Catches seconds taken for frames, and a playhead that leaves its rows."""
    at = [playhead(drawn(640, 360, seconds=seconds), 360) for seconds in (0, 9.5, 19, 38, 99, -5)]
    quarter = (at[3] - at[0]) / 4
    assert quarter > 110
    assert at[3] < 640
    np.testing.assert_allclose(np.array(at[:3]) - at[0], [0, quarter, 2 * quarter], atol=1)
    assert at[4] == at[3]
    assert at[5] == at[0]


def lanes(timeline: Timeline) -> list[np.ndarray]:
    """(columns,) of each row: how many pixels of it the curve fills."""
    made = Overlay(640, 360, timeline, "m").strip
    rows = [made.behind[made._lane(n) : made._lane(n) + made.row] for n in range(len(made.labels))]
    return [(row[:, made.left : made.right, 1] > 75).sum(0) for row in rows]


def test_curves_are_as_high_as_the_scores():
    """Catches exchanged classes, a curve upside down, and one that is shifted in time."""
    scores = np.zeros((19, 2))
    scores[:, 0], scores[9, 1] = 0.5, 1.0
    half, peak = lanes(replace(TIMELINE, scores=scores))
    height = Overlay(640, 360, TIMELINE, "m").strip.row
    np.testing.assert_allclose(half, height / 2, atol=1.5)
    assert abs(peak.max() - height) <= 1
    columns = np.flatnonzero(peak > height / 2)
    np.testing.assert_allclose(columns.mean(), len(peak) / 2, atol=2)
    np.testing.assert_allclose(len(columns) / len(peak), 2 / 38, atol=0.01)


def test_no_curve_where_nothing_was_scored():
    """Catches scores that are carried on to a time that no window saw."""
    scores = np.full((19, 2), 0.5)
    scores[5:8, 0] = np.nan
    gap, whole = lanes(replace(TIMELINE, scores=scores, seconds=76.0))
    share = np.arange(len(gap)) / len(gap)
    assert (whole[share < 0.49] > 0).all()
    assert (whole[share > 0.51] == 0).all()
    assert (gap[(share > 9.2 / 76) & (share < 16.8 / 76)] == 0).all()
    assert (gap[share < 8.8 / 76] > 0).all()


def test_the_actions_of_the_moment_are_written():
    """Catches actions that are not drawn, or drawn on the static part for good."""
    made = Overlay(640, 360, TIMELINE, "m")
    blank, drinking = (
        Picture(grey(640, 360), (), (), actions, 1.0)
        for actions in ((), (Scored("drinking", 0.9),))
    )
    first, second, third = (made.draw(picture) for picture in (blank, drinking, blank))
    rows = np.flatnonzero((first != second).any((1, 2)))
    assert 360 < rows.min() <= rows.max() < 360 + made.strip.rows_top
    np.testing.assert_array_equal(first, third)


@pytest.mark.parametrize("width", [320, 360, 640, 1920])
def test_no_word_of_the_strip_is_cut_by_the_edge(width):
    """Catches a score without its class at the right edge, and words that leave the picture."""
    actions = [Scored(label, 0.5) for label in ("holding something", "x" * 300, "reading", "a")]
    out = drawn(width, 360, actions=actions, warning="out of its training data " * 9)
    assert (out[360:, -3:] == out[-1, -1]).all()
    first, both = (drawn(width, 360, actions=actions[:count]) for count in (1, 2))
    np.testing.assert_array_equal(first, both)


@pytest.mark.parametrize("width", [320, 640, 3840])
def test_the_warning_and_the_source_are_whole(width):
    """Catches a warning that is shortened until it warns of nothing."""
    text = "out of its training data: trained on generated videos, never on any that was filmed"
    made = Overlay(width, width * 9 // 16, TIMELINE, "model a " * 20, text).strip
    for ink, whole in ((strip.AMBER, text), (strip.QUIET, ("model a " * 20).strip())):
        assert " ".join(words for _, _, words, colour in made.notes if colour == ink) == whole
    plain = Overlay(width, width * 9 // 16, TIMELINE, "model a").strip.behind
    amber = [np.abs(part.astype(int) - strip.AMBER).sum(-1) < 30 for part in (made.behind, plain)]
    assert amber[0].any() and not amber[1].any()


@pytest.mark.parametrize(
    "timeline", [NOTHING, Timeline(("a", "b"), np.empty(0), np.empty((0, 2)), 0)]
)
def test_an_empty_timeline_says_so(timeline):
    """Catches a crash without classes or windows, and an empty curve that looks like a zero."""
    out = drawn(640, 360, timeline=timeline, seconds=3.0)
    made = Overlay(640, 360, timeline, "m").strip
    middle = made.behind[made.rows_top : made.rows_low, made.left : made.right]
    assert (middle > 140).any(), "words"
    assert out.shape[0] > 420


def test_one_window_and_many_classes():
    """Catches a step between windows where there is one, and a strip that grows without end."""
    labels = tuple(f"class {number}" for number in range(157))
    many = Timeline(labels, np.array([2.0]), np.full((1, 157), 0.5), 4.0)
    assert drawn(640, 360, timeline=many, seconds=2.0).shape[0] < 600
    assert len(lanes(many)) == strip.ROWS
    assert (lanes(many)[0] > 0).all()


def test_scores_of_another_shape_are_refused():
    """Catches scores that lie the other way round."""
    with pytest.raises(ValueError, match=r"scores of shape \(2, 19\); expected 19 windows x 2"):
        Timeline(TIMELINE.labels, TIMES, TIMELINE.scores.T, 38.0)
    with pytest.raises(ValueError, match=r"\(9, 9, 3\); expected \(360, 640, 3\)"):
        Overlay(640, 360, TIMELINE, "m").draw(Picture(grey(9, 9), (), (), (), 0.0))


@pytest.mark.parametrize(
    "words", ["Tür öffnen", "один", "拿着杯子", "a\nb", "", "\udc80.mp4", "x" * 999]
)
def test_any_name_can_be_drawn(words):
    """Catches a crash, or an endless one, on names that are not plain English."""
    box = Seen(np.array([10, 50, 90, 90]), words, words, True)
    timeline = Timeline((words,), TIMES, np.zeros((19, 1)), 38.0)
    made = Overlay(640, 360, timeline, words, words)
    out = made.draw(Picture(grey(640, 360), [box], (), [Scored(words, 0.5)], 1.0))
    assert out.shape == (made.size[1], made.size[0], 3)
    assert changed(out, 640, 360)[88:92, 20:80].any()  # the box's lower side, whatever its name


def test_letters_beyond_ascii_are_letters():
    """Catches the empty boxes that PIL's own font draws for every one of them."""
    shapes = [written(letter, 40).tobytes() for letter in "éøßжλ"]
    assert len(set(shapes)) == len(shapes)


def test_long_words_are_cut_to_their_room():
    """Catches an ellipsis that does not fit, and one where nothing was cut."""
    assert shortened("drinking", 12, 99) == "drinking"
    for room in (5.0, 20.0, 61.5, 140.0):
        cut = shortened("putting something somewhere", 12, room)
        assert text_width(cut, 12) <= room
        assert cut == "" or cut.endswith("...")
    assert shortened("putting something somewhere", 12, 61.5).startswith("putting")
    assert wrapped("one two  three", 12, 60) == ["one two", "three"]


def test_times_are_written_as_finely_as_they_are_used():
    """Catches 59.96 seconds written as 0:60.0."""
    assert clock(3.21, 38, 0.1) == "3.2 s"
    assert clock(5, 38, 5) == "5 s"
    assert clock(59.96, 90, 0.1) == "1:00.0"
    assert clock(754, 2000, 60) == "12:34"
    assert clock(3754.25, 9000, 0.1) == "1:02:34.2"

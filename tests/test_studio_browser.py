"""The page in a real Chromium: by mouse, by keyboard, on a phone; it asks nobody else."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import make_studio
from glidn.prediction.sources import Source, open_file

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Tab:
    """A page of the studio, and what went wrong in it."""

    page: "playwright.Page"
    address: str
    clip: Path
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("console", lambda it: self.wrong.append(it.text) if it.type != "log" else None)
        self.page.on("request", lambda it: self._asked(it.url))

    def _asked(self, url: str) -> None:
        if not url.startswith(self.address):
            self.wrong.append(f"asked {url}")

    def open(self) -> None:
        self.page.goto(self.address)
        self.page.locator("#limit").filter(has_text="MB").wait_for()

    def drop(self) -> None:
        self.page.set_input_files("#file", self.clip)
        self.page.locator("#work").wait_for()
        self.page.locator("#jobs li.current").wait_for()

    def score_of(self) -> str:
        return self.page.locator("#panel .bars .number").first.inner_text()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    folder = tmp_path_factory.mktemp("studio")
    clip = make_studio.video(folder / "kitchen.mp4")
    example = Source("an example with a rather long name", lambda: open_file(clip))
    trained = make_studio.run(folder)
    studio = make_studio.studio(trained, folder / "files", examples=(example,))
    with (
        make_studio.served(studio) as address,
        playwright.sync_playwright() as driver,
        driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as chromium,
    ):
        yield address, chromium, clip


@pytest.fixture
def tab(started: tuple) -> Iterator[Tab]:
    """A browser of its own, in which nothing may go wrong."""
    address, chromium, clip = started
    with chromium.new_context(viewport={"width": 1280, "height": 860}) as context:
        made = Tab(context.new_page(), address, clip)
        yield made
        assert not made.wrong, made.wrong


def test_by_keyboard_from_the_video_to_another_score(tab):
    page = tab.page
    tab.open()
    tab.drop()
    boxes = page.locator("#boxes button:visible")
    assert boxes.count() == 2
    before = tab.score_of()

    # To the cup by the tab key, and select it.
    page.locator("#boxes button[aria-label^=cup]").focus()
    page.keyboard.press("Enter")
    assert page.locator("#panel h2").inner_text().startswith("cup")
    effects = page.locator("#panel .effects li")
    assert effects.count() >= 2
    assert effects.first.locator(".number").inner_text() != "0.00"
    assert page.locator("#panel h3", has_text="Listens to").is_visible()

    page.keyboard.press("Delete")
    assert boxes.count() == 1, "it is gone at once"
    assert "not scored yet" in page.locator("#pending").inner_text()
    page.keyboard.press("r")
    page.locator("#score", has_text="Scored").wait_for()
    assert tab.score_of() != before
    assert "1 removed by hand" in page.locator("#who").inner_text()

    page.locator("#undo").click()
    assert boxes.count() == 2
    page.keyboard.press("r")
    page.locator("#pending").wait_for(state="hidden")
    assert tab.score_of() == before


def test_a_category_is_corrected(tab):
    page = tab.page
    tab.open()
    tab.drop()
    page.keyboard.press("b")
    page.keyboard.press("b")
    name = page.locator("#panel h2").inner_text()
    page.locator("#category").select_option("person")
    assert page.locator("#panel h2").inner_text() == f"person ({name})"
    page.locator("#score").click()
    page.locator("#score", has_text="Scored").wait_for()
    assert "1 renamed by hand" in page.locator("#who").inner_text()
    page.locator("#pending button", has_text="Take back").click()
    assert page.locator("#panel h2").inner_text() == name


def test_scrubbing_shows_another_moment(tab):
    page = tab.page
    tab.open()
    tab.drop()
    place = page.locator("#lanes svg").first.bounding_box()
    page.mouse.click(place["x"] + 0.5 * place["width"], place["y"] + 5)
    assert page.locator("#time").inner_text().startswith("0:01.5")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#time").inner_text().startswith("0:01.75")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator("#time").inner_text().startswith("0:00.75")
    page.keyboard.press("End")
    assert page.locator("#scrub").input_value() == str(make_studio.FRAMES - 1)
    page.keyboard.press("Home")
    page.locator("#play").click()
    # It plays, and the moment follows.
    page.locator("#time", has_text="0:00.00").wait_for(state="hidden")


def test_downloads_and_the_annotated_video(tab):
    page = tab.page
    tab.open()
    tab.drop()
    with page.expect_download() as started:
        page.locator("#files a", has_text="actions.csv").click()
    assert started.value.suggested_filename == "kitchen.actions.csv"
    page.locator("#draw").click()
    page.locator("#files a", has_text="annotated.mp4").wait_for()


def test_an_example_is_opened(tab):
    tab.open()
    tab.page.locator("#examples button").click()
    tab.page.locator("#work").wait_for()
    assert "an example" in tab.page.title()


def test_what_is_no_video_says_so_and_can_be_dismissed(tab, tmp_path):
    page = tab.page
    notes = tmp_path / "notes.mp4"
    notes.write_text("Milk, bread.", encoding="utf-8")
    tab.open()
    page.set_input_files("#file", notes)
    page.locator("#jobs .failed", has_text="no video that can be read").wait_for()
    page.locator("#jobs button", has_text="✕").click()
    assert page.locator("#jobs li").count() == 0
    # The browser's own note about the answer's status.
    tab.wrong = [it for it in tab.wrong if "status of 415" not in it]


def test_two_gigabytes_are_not_even_sent(tab, tmp_path):
    page = tab.page
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(2**31)  # sparse: it takes no room
    tab.open()
    page.set_input_files("#file", large)
    page.locator("#jobs .failed", has_text="larger than 2 MB").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_sideways(tab, scheme):
    page = tab.page
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    tab.open()
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= 360
    tab.drop()
    page.keyboard.press("b")
    page.keyboard.press("Delete")
    assert page.evaluate(wide) <= 360
    boxes = [page.locator(it).bounding_box() for it in ("#drop", "#example", "#examples button")]
    assert min(box["width"] for box in boxes) >= 44, "nothing is squeezed"
    small = page.evaluate(
        "[...document.querySelectorAll('#controls button, #pending .buttons button')]"
        ".filter((it) => it.getBoundingClientRect().height < 36).length"
    )
    assert small == 0, "a finger finds them"
    place = page.locator("#score").bounding_box()
    assert place["y"] + place["height"] <= 740, "what comes next is in sight"


def test_two_browsers_do_not_meet(started, tab):
    tab.open()
    tab.drop()
    with started[1].new_context() as context:
        other = Tab(context.new_page(), tab.address, tab.clip)
        other.open()
        assert other.page.locator("#jobs li").count() == 0
        assert other.page.locator("#welcome").is_visible()
        assert not other.wrong

"""The report: true to the run folder, safe with any name, and alone in the world."""

import json
import re
import shutil
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from glidn import datasets, evaluation, experiment, protocol, runs
from glidn.config import DataConfig, DistillConfig, NodesConfig, RunConfig, TrainConfig, ViewConfig
from glidn.errors import RunError
from glidn.material import prepare
from glidn.report import confusion, rules, sources, tables
from glidn.report.cases import choose
from glidn.report.markup import Html, signed, tag
from glidn.report.page import write_report

CLASSES = ("<script>alert(1)</script>", "pour & stir")


def dataset_of(folder: Path) -> Path:
    """Two classes, three subjects, boxes without pixels; a class has a hostile name."""
    folder.mkdir()
    videos = ["video,file,subject,split,label,frames,fps,width,height"]
    boxes = ["video,frame,track,category,x1,y1,x2,y2,score"]
    for number in range(12):
        name, subject = f"v{number:02}", f"subject{number % 3}"
        videos.append(f'{name},,{subject},,"{CLASSES[number % 2]}",6,10,64,48')
        for frame in range(6):
            boxes.append(f"{name},{frame},a,person,2,2,30,46,")
            left = 32 + (frame if number % 2 else 0)
            boxes.append(f"{name},{frame},b,<b>cup</b>,{left},20,{left + 8},30,")
    (folder / "videos.csv").write_text("\n".join(videos) + "\n", encoding="utf-8")
    (folder / "boxes.csv").write_text("\n".join(boxes) + "\n", encoding="utf-8")
    return folder


def train(root: Path, out: Path, context: str, distill: DistillConfig | None = None) -> Path:
    """A small run, as `glidn train` makes it."""
    config = RunConfig(
        data=DataConfig(root=root, steps=5),
        nodes=NodesConfig(kinds=("geometry",)),
        view=ViewConfig(context=context, embed=8, width=8, layers=2),  # type: ignore[arg-type]
        train=TrainConfig(epochs=2, lr=1e-2),
        distill=distill,
    )
    dataset = datasets.load(root)
    folds = protocol.folds(dataset)
    run = runs.create(out, config, dataset, folds)
    material = prepare(dataset, config, None)
    for fold in folds:
        experiment.train_fold(run, fold.name, material)
    evaluation.evaluate(run)
    return out


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A teacher, its student and the data, with the student's page."""
    place = tmp_path_factory.mktemp("report")
    data = dataset_of(place / "data")
    teacher = train(data, place / "runs" / "seed0" / "global", "global")
    train(data, place / "runs" / "seed0" / "local", "local")
    student = train(data, place / "student", "local", DistillConfig(teacher=teacher))
    page = write_report(student).read_text(encoding="utf-8")
    return SimpleNamespace(place=place, data=data, teacher=teacher, student=student, page=page)


def test_the_page_asks_for_nothing_from_outside(trained):
    assert trained.page.count("data:video/mp4;base64,") > 0
    addresses = re.findall(r'(?:src|href|poster|action|data)="([^"]*)"', trained.page)
    assert addresses
    assert [a for a in addresses if not a.startswith(("data:", "#"))] == []
    assert not re.search(r"url\(|@import|<link|<iframe|fetch\(|XMLHttpRequest", trained.page)
    assert "default-src 'none'" in unescape(trained.page)


def test_hostile_names_are_text(trained):
    assert "<script>alert" not in trained.page
    assert "<b>cup" not in trained.page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in trained.page
    assert trained.page.count("<script>") == 1  # ours


def test_text_is_escaped_and_markup_is_not():
    inner = tag("b", "a < b")
    assert tag("p", inner, " & c", class_='"x') == (
        '<p class="&quot;x"><b>a &lt; b</b> &amp; c</p>'
    )
    # Markup that passed through a format string is text again: forgotten care shows, not harms.
    assert tag("p", f"{inner}") == "<p>&lt;b&gt;a &amp;lt; b&lt;/b&gt;</p>"
    assert isinstance(inner, Html)


def test_figures_are_those_of_the_run(trained):
    scores = json.loads((trained.student / "metrics.json").read_text())["local"]
    tile = re.search(r'class="tile local".*?class="figure">([\d.]+)<', trained.page)
    assert tile and tile[1] == f"{100 * scores['pooled']:.1f}"
    by_class = dict(
        re.findall(
            r'<th scope="row" class="what"[^>]*>([^<]+)<.*?class="number local"[^>]*>([\d.]+)<',
            trained.page.split("Accuracy by class")[1].split("</table>")[0],
        )
    )
    assert by_class["pour &amp; stir"] == f"{100 * scores['per_class']['pour & stir']:.1f}"
    subjects = trained.page.split("Accuracy by subject")[1]
    for name, accuracy in scores["per_fold"].items():
        found = re.search(
            rf'class="what"[^>]*>{name}<.*?class="number local"[^>]*>([\d.]+)<', subjects
        )
        assert found and found[1] == f"{100 * accuracy:.1f}"


def test_a_student_is_shown_with_its_teacher(trained):
    assert "taught by the global view" in trained.page
    assert "teacher of the local view" in trained.page
    # Every case has a film for each of the two.
    cases = trained.page.count('<article class="case">')
    assert trained.page.count("<video ") == 2 * cases > 0


def test_without_its_data_a_run_is_still_reported(trained, tmp_path):
    gone = trained.place / "moved"
    trained.data.rename(gone)
    try:
        page = write_report(trained.student, tmp_path / "page.html").read_text(encoding="utf-8")
    finally:
        gone.rename(trained.data)
    assert "The videos are left out" in page and str(trained.data) in page
    assert "<video " not in page
    assert "What is mistaken for what" in page


def test_a_missing_teacher_is_said(trained, tmp_path):
    away = trained.teacher.with_name("away")
    trained.teacher.rename(away)
    try:
        page = write_report(trained.student, tmp_path / "page.html").read_text(encoding="utf-8")
    finally:
        away.rename(trained.teacher)
    assert "Its teacher is not shown" in page
    assert 'class="panel global"' not in page


TABLE = [
    {"table": "2", "row": "Others", "paper": 81.25, "mean": None, "std": None, "low": None,
     "high": None, "seeds": 0, "videos": 0, "note": "<i>prior</i>"},
    {"table": "3", "row": "Local", "paper": 84.97, "mean": 71.234, "std": 1.35, "low": 66.71,
     "high": 75.82, "seeds": 3, "videos": 12, "note": ""},
]  # fmt: skip
DIFFERENCES = [
    {"what": "teaching", "mean": 1.2, "low": -0.5, "high": 3.0},
    {"what": "relations", "mean": 20.04, "low": 11.11, "high": 30.0},
]


def test_a_reproduction_shows_its_tables_and_both_views(trained, tmp_path):
    place = trained.place
    (place / "tables.json").write_text(json.dumps(TABLE))
    (place / "differences.json").write_text(json.dumps(DIFFERENCES))
    rule = {"rule": "a", "title": "Who is near?", "view": "local", "accuracy": 0.99, "chance": 0.5}
    (place / "label_rules.json").write_text(json.dumps([rule]))
    page = write_report(place, tmp_path / "page.html").read_text(encoding="utf-8")
    row = page.split("Table 3")[1].split("</table>")[0]
    for figure in ("71.2", "± 1.4", "66.7 to 75.8", "84.97"):
        assert figure in row
    assert "81.25" in page and "<i>prior" not in page
    assert "+1.2 points, interval −0.5 to +3.0" in page
    assert 'class="panel local"' in page and 'class="panel global"' in page
    assert "Who is near?" in page and ">99<" in page


def test_words_are_no_stronger_than_the_interval():
    def said(mean: float, low: float, high: float) -> str:
        return tables.sentence({"mean": mean, "low": low, "high": high})

    assert said(1.2, -0.5, 3.0).endswith("not distinguishable from no effect with these videos.")
    assert said(2.0, 0.0, 4.0).endswith("not distinguishable from no effect with these videos.")
    assert said(2.0, 0.1, 4.0).endswith("it helps on these videos.")
    assert said(-2.0, -4.0, -0.1).endswith("it hurts on these videos.")
    assert said(0.0, 0.0, 0.0).endswith("right and wrong on exactly the same videos.")
    assert [signed(value) for value in (1.25, -0.5, 0.04, -0.04)] == ["+1.2", "−0.5", "0.0", "0.0"]


def test_the_confusion_matrix_stands_alone():
    drawing = confusion.svg([[3, 1], [0, 4]], CLASSES)
    root = ElementTree.fromstring(drawing)
    cells = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [cell for cell in cells if cell and cell.isdigit()] == ["3", "1", "4"]
    assert CLASSES[0] in cells  # as text, escaped in the file
    shares = [
        float(cell.attrib["fill-opacity"]) for cell in root.iter() if "fill-opacity" in cell.attrib
    ]
    np.testing.assert_allclose(shares, [0.12 + 0.88 * s for s in (0.75, 0.25, 1)], atol=0.005)


def test_the_words_beside_a_confusion_matrix_of_short_names_are_not_cut():
    root = ElementTree.fromstring(confusion.svg([[1, 0], [0, 1]], ("a", "b")))
    ends = [text for text in root.iter() if text.attrib.get("text-anchor") == "end"]
    assert "predicted →" in [text.text for text in ends]
    for text in ends:
        assert float(text.attrib["x"]) >= 6 * len(text.text or ""), text.text
        assert float(text.attrib["y"]) >= 12, text.text


def test_cases_take_every_outcome_in_turn_and_do_not_repeat(trained):
    arms = sources.read(trained.student).arms
    every = choose(arms, most=100)
    assert len(every) == 12 == len({case.video for case in every})
    outcomes = {case.outcome for case in every}
    first = choose(arms, most=len(outcomes))
    assert {case.outcome for case in first} == outcomes
    assert [case.video for case in first] == [case.video for case in choose(arms, len(outcomes))]


def test_label_rules_mark_what_is_learnt_and_average_seeds():
    row = {"rule": "a", "title": "", "view": "local", "chance": 0.5}
    page = rules.section([row | {"accuracy": 0.9}, row | {"accuracy": 1.0}])
    assert ">95<" in page and "learns it" in page
    assert "does not" in rules.section([row | {"accuracy": 0.53}])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "it holds no run.json"),
        (lambda path: (path / "runs").mkdir(parents=True), "its tables are not made yet"),
    ],
)
def test_what_is_no_run_is_refused_in_one_sentence(tmp_path, make, said):
    path = tmp_path / "x"
    make(path)
    with pytest.raises(RunError, match=said) as error:
        write_report(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_an_unfinished_run_is_refused(trained, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(trained.teacher, half)
    (half / "folds" / "subject1" / "global.csv").unlink()
    with pytest.raises(RunError, match="fold subject1 is not done"):
        write_report(half)
    (half / "folds" / "subject0" / "log.jsonl").write_text("{")
    shutil.copy(trained.teacher / "folds" / "subject1" / "global.csv", half / "folds" / "subject1")
    with pytest.raises(RunError, match=r"log\.jsonl is damaged"):
        write_report(half)

"""Leave one subject out; no test video in training, not even through a teacher."""

from dataclasses import replace

import pytest

from glidn.errors import DataError, LeakError, SettingError
from glidn.protocol import Fold, folds, guard_teacher
from make import SUBJECTS, dataset


def test_every_subject_is_left_out_once_and_never_trained_on():
    data = dataset()
    subject = {video.name: video.subject for video in data.videos}
    made = folds(data)
    assert [fold.name for fold in made] == list(SUBJECTS)
    for fold in made:
        assert {subject[name] for name in fold.test} == {fold.name}
        assert {subject[name] for name in fold.train} == set(SUBJECTS) - {fold.name}
        assert len(fold.train) + len(fold.test) == len(data.videos)


def test_a_split_is_taken_as_it_is():
    data = dataset(4)
    parts = ("train", "test", "train", "")
    videos = tuple(replace(v, split=s) for v, s in zip(data.videos, parts, strict=True))
    (fold,) = folds(replace(data, protocol="split", videos=videos))
    assert (fold.train, fold.test) == (("v00", "v02"), ("v01",))


def test_a_test_video_in_training_is_a_leak():
    with pytest.raises(LeakError, match=r"fold anna: 1 test videos are also trained on, first b\."):
        Fold("anna", ("a", "b"), ("b", "c"))


def test_a_teacher_that_saw_a_test_video_is_a_leak():
    fold = Fold("anna", ("a",), ("b", "c"))
    with pytest.raises(LeakError, match=r"teacher runs/x was trained on 1 of the test videos"):
        guard_teacher(fold, ("a", "c"), "the teacher runs/x")
    guard_teacher(fold, ("a", "z"), "the teacher runs/x")


def test_one_subject_cannot_be_left_out():
    data = dataset()
    videos = tuple(replace(video, subject="anna") for video in data.videos)
    with pytest.raises(DataError, match="at least two subjects; found 1"):
        folds(replace(data, videos=videos))


def test_an_unknown_fold_names_the_nearest():
    with pytest.raises(SettingError, match=r"anne is no fold of made-up; nearest: anna\."):
        folds(dataset(), ("anne",))

"""What label values mean."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gradatim.data.labels import Reading, find_separator, targets
from gradatim.data.named import polarity
from gradatim.errors import DataError
from gradatim.types import Task


def places(*values: Any) -> dict[str, str]:
    return {json.dumps(value): f"line {line} of f.csv" for line, value in enumerate(values, 2)}


def sets(*values: Any, **more: Any) -> list[tuple[str, ...]]:
    return Reading(places(*values), **more).label_sets([json.dumps(value) for value in values])


def test_plain_labels_and_their_order() -> None:
    reading = Reading(places("10", "9", "2"))
    assert reading.ordered(["10", "9", "2"]) == ("2", "9", "10")
    assert Reading(places("b", "a")).ordered(["b", "a", "b"]) == ("a", "b")
    assert not reading.multi_label


def test_numbers_and_truth_values_become_names() -> None:
    assert sets(1, 0, 1.0) == [("1",), ("0",), ("1",)]
    assert sets("1.0", "0.0", "1") == [("1",), ("0",), ("1",)]
    assert sets(True, False) == [("true",), ("false",)]


def test_given_names_and_their_order() -> None:
    reading = Reading(places("0", "1"), {"1": "yes", "0": "no"})
    assert reading.label_sets(['"0"', '"1"']) == [("no",), ("yes",)]
    assert reading.ordered(["no", "yes"]) == ("yes", "no")


@pytest.mark.parametrize("values", [(1, "1"), ("0", "1", "pos"), (True, 1), (["a"], "a"), (["a", 1], ["b"])])
def test_mixed_types_name_the_lines(values: tuple[Any, ...]) -> None:
    with pytest.raises(DataError, match=r"mixed.* line \d+ of f\.csv"):
        Reading(places(*values))


def test_mixture_over_two_files_names_both() -> None:
    other = {'"pos"': "line 7 of g.csv"}
    with pytest.raises(DataError, match=r"line 2 of f\.csv.*line 7 of g\.csv"):
        Reading(places("0", "1") | other)


@pytest.mark.parametrize("values", [(0.5, 1.5), ("0.5", "1.5"), (1, 0.25), ([0.5], [1, 2])])
def test_scores_are_not_classes(values: tuple[Any, ...]) -> None:
    with pytest.raises(DataError, match="fractional number"):
        Reading(places(*values))


@pytest.mark.parametrize("value", [{"name": "a"}, [[0, 4, "ORG"]], [{"label": "a"}], '{"name": "a"}'])
def test_objects_are_no_labels(value: Any) -> None:
    with pytest.raises(DataError, match=r"line \d+ of f\.csv.*is an object"):
        Reading(places(value, value))


def test_lists_may_be_written_out_as_text() -> None:
    assert sets("['a', 'b']", "[]", '["b"]') == [("a", "b"), (), ("b",)]
    assert sets("[a]", "[b") == [("[a]",), ("[b",)]


def test_lists_are_several_labels() -> None:
    assert sets(["a", "b"], [], ["b", "b"]) == [("a", "b"), (), ("b",)]
    assert Reading(places(["a"])).multi_label


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["joy|love", "joy", "love"], "|"),
        (["3,7", "3", "7", "7,3"], ","),
        (["a; b", "b; c", "a; c"], ";"),
        (["Toys, Games", "Books, Music"], None),
        (["Home, Garden", "Tools"], None),
        (["1,5", "2,5", "1,0", "2,0"], None),
        (["a", "b"], None),
        (["a|", "a", "b|a"], None),
    ],
)
def test_when_values_are_several_labels(values: list[str], expected: str | None) -> None:
    assert find_separator(values) == expected


def test_joined_labels_are_split_and_named() -> None:
    assert sets("3,7", "3", "7", names={"3": "joy", "7": "love"}) == [("joy", "love"), ("joy",), ("love",)]


def test_a_task_settles_whether_values_are_joined() -> None:
    several = Task(("a", "b", "c"), multi_label=True)
    assert sets("a,b", "c", task=several) == [("a", "b"), ("c",)]
    assert sets("a,b", "a", "b", task=Task(("a", "b", "a,b"))) == [("a,b",), ("a",), ("b",)]


def test_polarity_leaves_out_the_middle() -> None:
    assert [polarity(score, 0.5) for score in ("2.5", "-0.5", "0.49", "0.5")] == [
        "positive",
        "negative",
        None,
        "positive",
    ]


def test_targets() -> None:
    single = targets(Task(("a", "b", "c")), [("c",), ("a",)])
    assert single.dtype == np.int64
    assert single.tolist() == [2, 0]
    several = targets(Task(("a", "b", "c"), multi_label=True), [("c", "a"), ()])
    assert several.dtype == np.float32
    assert several.tolist() == [[1, 0, 1], [0, 0, 0]]

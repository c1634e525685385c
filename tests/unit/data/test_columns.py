"""Which column is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gradatim.data.columns import choose_columns
from gradatim.data.tables import Table
from gradatim.errors import DataError


def table(columns: Sequence[str], *rows: Sequence[Any]) -> Table:
    return Table("t.csv", tuple(columns), lambda: iter(enumerate(rows, 1)), "stamp")


def choose(of: Table, **given: Any) -> tuple[str, str | None, str | None]:
    chosen = choose_columns(of, **{"text": None, "text_pair": None, "label": None, **given})
    names = [None if at is None else of.columns[at] for at in (chosen.text, chosen.text_pair, chosen.label)]
    assert names[0] is not None
    return names[0], names[1], names[2]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (("id", "text", "label"), ("text", None, "label")),
        (("Review", "Sentiment"), ("Review", None, "Sentiment")),
        (("index", "sentence1", "sentence2", "label"), ("sentence1", "sentence2", "label")),
        (("premise", "hypothesis", "gold_label"), ("premise", "hypothesis", "gold_label")),
        (("#1 String", "#2 String", "Quality"), ("#1 String", "#2 String", "Quality")),
        (("text", "label", "label_text"), ("text", None, "label_text")),
    ],
)
def test_well_known_names(columns: tuple[str, ...], expected: tuple[str, str | None, str | None]) -> None:
    assert choose(table(columns, ["a"] * len(columns), ["b"] * len(columns))) == expected


def test_guess_by_content_and_say_so() -> None:
    rows = [[str(i), f"some longer words {i}", "ab"[i % 2], "xyz"[i % 3]] for i in range(30)]
    of = table(["k1", "k2", "k3", "k4"], *rows)
    assert choose(of) == ("k2", None, "k3")
    notes = " ".join(choose_columns(of, text=None, text_pair=None, label=None).notes)
    assert "'k2'" in notes
    assert "guessed" in notes
    assert "it could also be 'k4'" in notes


def test_given_columns_win() -> None:
    of = table(["text", "note", "label", "stars"], ["a", "b", "c", "1"], ["d", "e", "f", "2"])
    assert choose(of, text="note", label="stars") == ("note", None, "stars")
    assert choose(of, text_pair="note") == ("text", "note", "label")


def test_a_given_column_is_found_in_another_case() -> None:
    of = table(["Text", "text", "LABEL", "gold label"], ["a", "b", "c", "d"])
    assert choose(of, text="text", label="label") == ("text", None, "LABEL")
    assert choose(of, text="Text", label="gold_label") == ("Text", None, "gold label")


def test_columns_that_are_not_used_are_said() -> None:
    of = table(["q1", "q2", "label"], ["is it?", "is it so?", "yes"], ["was it?", "was it so?", "no"])
    notes = choose_columns(of).notes
    assert "columns not used: 'q1'" in notes
    assert not any("not used" in note for note in choose_columns(of, text="q1", text_pair="q2").notes)


def test_a_long_text_is_not_taken_for_a_label() -> None:
    rows = [
        [f"what is number {i} ?", "a passage of many words " * 9 + str(i % 3), f"it is {i}"]
        for i in range(30)
    ]
    with pytest.raises(DataError, match="no column looks like a label"):
        choose(table(["question", "passage", "reply"], *rows))


def test_one_column_alone_has_no_label() -> None:
    with pytest.raises(DataError, match=r"'text'.*a label is needed in a column of its own"):
        choose(table(["text"], ["a"], ["b"]))


def test_unknown_column_offers_the_nearest_and_the_list() -> None:
    of = table(["review", "label"], ["a", "b"])
    with pytest.raises(DataError, match=r"no column 'reveiw'; did you mean 'review'\?.*'review', 'label'"):
        choose(of, text="reveiw")


def test_no_label_column() -> None:
    rows = [[f"id{i}", f"words and more words {i}"] for i in range(30)]
    with pytest.raises(DataError, match=r"label.*'key', 'words'"):
        choose(table(["key", "words"], *rows))


def test_no_text_column() -> None:
    with pytest.raises(DataError, match="no column holds text"):
        choose(table(["a", "label"], [1, 2], [3, 4]))


def test_one_column_cannot_be_two_things() -> None:
    with pytest.raises(DataError, match="different columns"):
        choose(table(["text", "label"], ["a", "b"]), text="label", label="label")


def test_unlabelled_and_pairs_wanted_or_not() -> None:
    of = table(["sentence1", "sentence2"], ["a", "b"])
    assert choose(of, labelled=False, pairs=True) == ("sentence1", "sentence2", None)
    assert choose(of, labelled=False, pairs=False)[1] is None
    with pytest.raises(DataError, match="text_pair"):
        choose(table(["text"], ["a"]), labelled=False, pairs=True)

"""Words of raw text, and the features of words in their sentences."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.engine.contexts import ContextSession
from gradatim.errors import ArtifactError, ConfigError
from gradatim.text.contexts import ContextEncoder, ContextSettings
from gradatim.text.raw import find_words


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in find_words(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Angela Merkel lives in Berlin.", ["Angela", "Merkel", "lives", "in", "Berlin", "."]),
        ('He said: "No!"', ["He", "said", ":", '"', "No", "!", '"']),
        ("U.S. troops (in Iraq)...", ["U.S.", "troops", "(", "in", "Iraq", ")", "..."]),
        ("J. Smith's aide", ["J.", "Smith", "'s", "aide"]),
        (
            "EU rejects German call , Corp. said .",
            ["EU", "rejects", "German", "call", ",", "Corp.", "said", "."],
        ),
        ("1,000 well-known 10\u00a0km", ["1,000", "well-known", "10\u00a0km"]),
        ("東京は", ["東", "京", "は"]),
        ("  ", []),
    ],
)
def test_words_of_raw_text(text: str, wanted: list[str]) -> None:
    assert words(text) == wanted


@given(st.text())
def test_words_lie_in_order_and_leave_out_nothing_but_space(text: str) -> None:
    spans = find_words(text)
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    assert edges == sorted(edges)
    assert all(start < end for start, end in spans)
    assert not "".join(text[end:start] for end, start in zip(edges[::2], edges[1::2], strict=True)).strip()


_REFERENCE = re.compile(r"""(?<=.)(['’]s|([.!?])\2+|[]["'»”’)}>.,;:!?…])$""")


def peeled(run: str) -> list[str]:
    """A run and the marks at its end, each looked for in all that is left of it."""
    marks: list[str] = []
    while (found := _REFERENCE.search(run)) and not re.fullmatch(r"(\w{1,3}\.){2,}|[^\W\d_]\.", run):
        marks.insert(0, run[found.start() :])
        run = run[: found.start()]
    return [run, *marks]


@given(st.text(alphabet="ab.!?'s’)", min_size=1, max_size=90))
def test_marks_at_the_end_are_those_of_the_whole_run(text: str) -> None:
    run = "a" + text  # begins with no mark, and is none
    assert words(run) == peeled(run)


def test_a_run_of_marks_takes_time_by_its_length_alone() -> None:
    start = time.perf_counter()
    assert len(words("a" + ")" * 20_000)) == 20_001  # minutes, if each mark looked at all others
    assert time.perf_counter() - start < 5


@given(st.lists(st.text(alphabet="abZ9-. ", max_size=12), min_size=1, max_size=4))
def test_features_of_a_sentence_do_not_depend_on_its_neighbours(texts: list[str]) -> None:
    encoder = ContextEncoder()
    together = encoder.encode(texts).arrays
    alone = [encoder.encode([text]).arrays["keys"] for text in texts]
    np.testing.assert_array_equal(together["keys"], np.concatenate(alone))
    assert together["lengths"].tolist() == [len(keys) for keys in alone]


def test_features_see_what_stands_beside_and_how_a_word_is_written() -> None:
    encoder = ContextEncoder()

    def keys(text: str, place: int = 1) -> set[int]:
        return set(encoder.encode([text]).arrays["keys"][place].tolist())

    assert keys("in Rome now") != keys("to Rome now")
    assert len(keys("in Rome now") & keys("to Rome now")) > 15
    assert len(keys("in Rome now") & keys("in Oslo now")) > len(keys("in Rome now") & keys("in oslo now"))
    alone = ContextEncoder(ContextSettings(alone=True))
    assert alone.encode(["in Rome now"]).arrays["keys"].shape == (3, 1)
    again = ContextEncoder.from_settings(alone.settings())
    np.testing.assert_array_equal(
        again.encode(["Rome"]).arrays["keys"][0], alone.encode(["in Rome"]).arrays["keys"][1]
    )


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="not 'contexts'"):
        ContextEncoder.from_settings({"kind": "words"})
    with pytest.raises(ConfigError, match="cannot be read"):
        ContextEncoder.from_settings({"kind": "contexts", "letters": 3})
    with pytest.raises(ConfigError, match="single texts"):
        ContextEncoder().encode(["a"], ["b"])
    with pytest.raises(ArtifactError, match="do not fit"):
        ContextSession(np.zeros(2), np.zeros((3, 2)), np.zeros(2), np.zeros((0, 2)))


def test_a_session_sums_what_it_knows_and_comes_back_from_its_bytes() -> None:
    encoder = ContextEncoder(ContextSettings(alone=True))
    keys = np.sort(encoder.encode(["red blue"]).arrays["keys"][:, 0])
    weights = np.array([[1.0, 0.0], [0.0, 2.0]])
    session = ContextSession(keys, weights, np.array([0.5, 0.0]), np.zeros((0, 2)))
    read = encoder.encode(["red green", ""]).arrays
    for one in (session, ContextSession.from_npz(session.to_npz())):
        logits = one.run(read)["logits"]
        assert logits[1].tolist() == [0.5, 0.0]
        assert sorted((logits[0] - [0.5, 0.0]).tolist()) in ([0.0, 1.0], [0.0, 2.0])

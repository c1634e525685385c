"""Sets joined: equal names are one label, and every text keeps its own."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.data.joined import join_corpora
from gradatim.errors import DataError
from gradatim.types import Corpus, Examples, Task


def corpus(
    name: str, labels: tuple[str, ...], *, several: bool = False, pairs: bool = False, test: bool = False
) -> Corpus:
    """Texts that say what they are labelled."""
    texts = [f"{name} {label}" for label in labels]
    targets = np.eye(len(labels), dtype=np.float32) if several else np.arange(len(labels))
    whole = Examples(texts, [f"beside {text}" for text in texts] if pairs else None, targets)
    task = Task(labels, multi_label=several, pairs=pairs)
    return Corpus(
        name,
        task,
        whole,
        whole.take([0]),
        whole if test else None,
        (f"of {name}",),
        name,
        "free",
        f"by {name}",
    )


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("pairs", [False, True])
def test_every_text_keeps_its_label_and_its_pair(several: bool, pairs: bool) -> None:
    one = corpus("one", ("yes", "no"), several=several, pairs=pairs)
    two = corpus("two", ("maybe", "yes"), several=several, pairs=pairs, test=True)
    both = join_corpora([one, two])
    assert both.task == Task(("yes", "no", "maybe"), multi_label=several, pairs=pairs)
    assert both.test is not None
    assert [len(split) for split in (both.train, both.dev, both.test)] == [4, 2, 2]
    for split in (both.train, both.dev, both.test):
        said = split.targets.argmax(1) if several else split.targets
        assert [both.task.labels[i] for i in said] == [text.split()[1] for text in split.texts]
        assert split.pairs == ([f"beside {text}" for text in split.texts] if pairs else None)
    assert both.notes == ("one: of one", "two: of two")
    assert (both.licence, both.citation) == ("free", "by one; by two")
    assert len({join_corpora(some).digest for some in ([one], [one, two], [two, one])}) == 3


def test_one_is_itself() -> None:
    one = corpus("one", ("yes", "no"))
    assert join_corpora([one]) is one


def test_what_is_of_two_shapes_is_refused() -> None:
    one = corpus("one", ("yes", "no"))
    for other in (corpus("two", ("yes", "no"), pairs=True), corpus("two", ("yes", "no"), several=True)):
        with pytest.raises(DataError, match="'one' and 'two'"):
            join_corpora([one, other])

"""ARPA files: what is written is read back, and every fault names its line."""

from pathlib import Path

import numpy as np
import pytest

from gradatim.errors import DataError
from gradatim.ngram import arpa
from gradatim.ngram.arpa import read_arpa, write_arpa
from gradatim.ngram.build import build
from gradatim.text.space import IN_MEMORY
from gradatim.text.vocabulary import END, START, UNKNOWN

FILE = """\
made by hand

\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-0.7\t</s>
-0.6\tcat\t-0.2
-0.5\tthe\t-0.4

\\2-grams:
-0.3\t<s> the\t-0.1
-0.2\tthe cat
-0.25\tcat </s>

\\3-grams:
-0.05\t<s> the cat

\\end\\
"""


def read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.arpa"
    path.write_text(text)
    read_arpa(path)


def test_a_file_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "model.arpa"
    path.write_text(FILE.replace("\n", "\r\n"))  # from Windows
    table, vocabulary = read_arpa(path)
    assert vocabulary.strings == ["<unk>", "<s>", "</s>", "cat", "the"]
    cat, the = 3, 4
    log10 = table.log_probs(np.array([START, the, cat, END, START, cat, UNKNOWN])) / np.log(10)
    # the: seen; cat: seen; </s> after "the cat": no weight; cat after <s>: -0.3 - 0.6; <unk>: -0.2 - 1.0
    assert log10 == pytest.approx([0, -0.3, -0.05, -0.25, 0, -0.9, -1.2])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    lines = ["na\u00efve caf\u00e9 \U0001f600 .", "the cat sat .", "the cat ran .", "the"] * 3
    built = build([("here", "\n".join(lines).encode())], order=4, space=IN_MEMORY)
    path = tmp_path / "model.arpa"
    write_arpa(path, built.table, built.vocabulary)
    table, vocabulary = read_arpa(path)
    assert set(vocabulary.words) == set(built.vocabulary.words)
    test = ["the caf\u00e9 sat", "", "cat the zebra ."]
    one, _ = built.vocabulary.sentences(test)
    other, _ = vocabulary.sentences(test)
    np.testing.assert_allclose(table.log_probs(other), built.table.log_probs(one), atol=1e-5)


def test_blocks_write_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = build([("here", b"the cat sat .\nthe cat ran .\nthe dog")], order=3, space=IN_MEMORY)
    one, other = tmp_path / "one.arpa", tmp_path / "other.arpa"
    write_arpa(one, built.table, built.vocabulary)
    monkeypatch.setattr(arpa, "BLOCK", 3)
    write_arpa(other, built.table, built.vocabulary)
    assert one.read_bytes() == other.read_bytes()


def test_a_file_without_unknown_words_makes_them_nearly_impossible(tmp_path: Path) -> None:
    path = tmp_path / "model.arpa"
    path.write_text(FILE.replace("-1.0\t<unk>\n", "").replace("1=5", "1=4"))
    table, _ = read_arpa(path)
    assert table.log_probs(np.array([START, UNKNOWN]))[1] / np.log(10) == pytest.approx(-99.3, abs=1)


@pytest.mark.parametrize(
    ("change", "to", "said"),
    [
        ("-0.6\tcat", "minus\tcat", r"line 12: field 1 is no number: 'minus cat -0.2'"),
        ("cat\t-0.2", "cat\tx", r"line 12: field 3 is no number"),
        ("-0.6\tcat", "0.6\tcat", r"line 12: log10 of a probability cannot be above 0"),
        ("-0.6\tcat", "nan\tcat", r"line 12: field 1 is no number"),
        ("-0.2\tthe cat", "-0.2\tthe", r"line 17: log10 of a probability, 2 words and a back-off weight"),
        ("-0.2\tthe cat", "-0.2\tthe dog", r"line 17: a word is not among the unigrams: '-0.2 the dog'"),
        ("<s> the cat", "cat the cat", r"line 21: its first 2 words are not among the 2-grams"),
        ("<s> the cat", "<s> the cat\t-0.1", r"line 21: log10 of a probability, 3 words belong here"),
        ("-0.5\tthe\t-0.4", "-0.5\tcat\t-0.4", r"line 13: the word stands twice"),
        ("-0.25\tcat </s>", "-0.25\tthe cat", r"line 18: the n-gram stands twice"),
        ("2=3", "2=4", r"line 15: 3 n-grams follow, the beginning of the file says 4"),
        ("ngram 2=3", "ngrams 2", r"line 5: here 'ngram 2=' and a count must stand"),
        ("\\3-grams:", "\\4-grams:", r"line 20: .* sections data, 1-grams:, 2-grams:, 4-grams:, end"),
        ("\\3-grams:", "\\2-grams:", r"line 20: here \\3-grams: must stand"),
        ("\\end\\", "\\end\\\n\n\\end\\", r"line 25: nothing may follow"),
        ("\\end\\\n", "", r"line 23: .* sections data, 1-grams:, 2-grams:, 3-grams:, in place of .* 3-grams:, end"),
        ("-99\t<s>\t-0.3", "-99\t<s>\tinf", r"field 3 is no number"),
        ("-99\t<s>\t-0.3\n", "", r"4 n-grams follow"),
    ],
)  # fmt: skip
def test_faults_name_their_line(tmp_path: Path, change: str, to: str, said: str) -> None:
    assert FILE.count(change) == 1
    with pytest.raises(DataError, match=said):
        read(tmp_path, FILE.replace(change, to))


def test_marks_of_sentences_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lack <s>"):
        read(tmp_path, FILE.replace("-99\t<s>\t-0.3\n", "").replace("1=5", "1=4"))
    with pytest.raises(DataError, match="no ARPA file"):
        read(tmp_path, "hello\n")


def test_unknown_words_in_capitals_are_unknown_words(tmp_path: Path) -> None:
    small, capital = tmp_path / "small.arpa", tmp_path / "capital.arpa"
    small.write_text(FILE.replace("the cat", "the <unk>"))
    capital.write_text(small.read_text().replace("<unk>", "<UNK>"))
    tables = [read_arpa(path) for path in (small, capital)]
    ids = np.array([START, 4, UNKNOWN, END])
    assert tables[0][1].words == tables[1][1].words
    assert tables[0][0].log_probs(ids).tolist() == tables[1][0].log_probs(ids).tolist()

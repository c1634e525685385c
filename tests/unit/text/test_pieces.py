"""Word pieces: what the tokenizer itself says for short texts, windows for long ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from gradatim.errors import ConfigError
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Array, Encoded

TEXTS = ["good film !", "", "bad", "the very very bad film", "Ünïcode 漢字 \x00 z", "[SEP] [CLS] film"]


def rows(encoded: Encoded, name: str = "ids") -> list[list[int]]:
    ends = np.cumsum(encoded.arrays["lengths"])
    return [part.tolist() for part in np.split(encoded.arrays[name], ends[:-1])]


@pytest.fixture(scope="module")
def reference(tokenizer_json: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def test_short_texts_are_encoded_as_the_tokenizer_does(tokenizer_json: str, reference: Tokenizer) -> None:
    encoded = PieceEncoder(tokenizer_json, max_length=64).encode(TEXTS)
    wanted = [reference.encode(text) for text in TEXTS]
    assert rows(encoded) == [w.ids for w in wanted]
    assert rows(encoded, "segments") == [w.type_ids for w in wanted]
    assert encoded.owners.tolist() == list(range(len(TEXTS)))
    assert (encoded.num_texts, encoded.cut) == (len(TEXTS), 0)
    assert {array.dtype for array in encoded.arrays.values()} == {np.dtype(np.int64)}


def test_short_pairs_are_encoded_as_the_tokenizer_does(tokenizer_json: str, reference: Tokenizer) -> None:
    encoded = PieceEncoder(tokenizer_json, max_length=64).encode(TEXTS, TEXTS[::-1])
    wanted = [reference.encode(a, b) for a, b in zip(TEXTS, TEXTS[::-1], strict=True)]
    assert rows(encoded) == [w.ids for w in wanted]
    assert rows(encoded, "segments") == [w.type_ids for w in wanted]


def test_long_text_becomes_windows_that_overlap(tokenizer_json: str, reference: Tokenizer) -> None:
    text = " ".join("abcdefghijklmnopqrst")  # 20 tokens, 8 to a window, 2 shared
    encoded = PieceEncoder(tokenizer_json, max_length=10, stride=2).encode(["bad", text, "good"])
    content = reference.encode(text, add_special_tokens=False).ids
    assert encoded.owners.tolist() == [0, 1, 1, 1, 2]
    windows = rows(encoded)[1:4]
    assert all(window[0] == 2 and window[-1] == 3 and len(window) <= 10 for window in windows)
    inner = [window[1:-1] for window in windows]
    assert inner[0] + [token for window in inner[1:] for token in window[2:]] == content
    assert max(map(len, inner)) - min(map(len, inner)) <= 1
    assert encoded.cut == 0


def test_truncation_keeps_one_row_and_counts_the_loss(tokenizer_json: str, reference: Tokenizer) -> None:
    encoder = PieceEncoder(tokenizer_json, max_length=10, truncate=True)
    encoded = encoder.encode(["a b c d e f g h i j k", "bad"])
    assert rows(encoded) == [reference.encode("a b c d e f g h").ids, reference.encode("bad").ids]
    assert encoded.cut == 3
    pair = encoder.encode(["a b c d e", "bad"], ["f g h i j k", "good"])
    assert rows(pair) == [reference.encode("a b c d", "f g h").ids, reference.encode("bad", "good").ids]
    assert pair.cut == 4


def test_short_first_text_stands_whole_before_every_window(tokenizer_json: str) -> None:
    encoded = PieceEncoder(tokenizer_json, max_length=13).encode(["a b c"], ["d e f g h i j k l m n o p"])
    found = rows(encoded)
    assert len(found) == 2  # 13 tokens at 7 a window
    assert all(row[1:4] == found[0][1:4] and len(row) <= 13 for row in found)
    assert rows(encoded, "segments")[0] == [0] * 5 + [1] * (len(found[0]) - 5)


def test_order_of_texts_changes_only_the_order_of_rows(tokenizer_json: str) -> None:
    encoder = PieceEncoder(tokenizer_json, max_length=8, stride=1)
    texts = ["a b c d e f g h i", "bad", "x y z x y z x y", ""]
    forward, backward = encoder.encode(texts), encoder.encode(texts[::-1])

    def by_text(encoded: Encoded) -> list[list[list[int]]]:
        return [
            [row for row, o in zip(rows(encoded), encoded.owners, strict=True) if o == i] for i in range(4)
        ]

    assert by_text(forward) == by_text(backward)[::-1]


def test_half_a_surrogate_pair_is_read_as_unknown(tokenizer_json: str) -> None:
    encoder = PieceEncoder(tokenizer_json, max_length=16)
    assert rows(encoder.encode(["bad \ud800 film"])) == rows(encoder.encode(["bad ? film"]))


def test_two_megabytes_are_read_to_the_end(tokenizer_json: str) -> None:
    encoded = PieceEncoder(tokenizer_json, max_length=128).encode(["very bad film " * 150_000])
    assert int(encoded.arrays["lengths"].sum()) == 450_000 + 2 * len(encoded.owners)


def test_tokenizer_without_special_tokens_never_gives_an_empty_row() -> None:
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"x": 0, "a": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    encoder = PieceEncoder(tokenizer.to_str(), max_length=4)
    assert rows(encoder.encode(["", "a x", " "])) == [[2], [1, 0], [2]]
    assert rows(encoder.encode(["", "a"], ["", ""])) == [[2], [1]]


@pytest.mark.parametrize(("max_length", "stride"), [(10, 4), (10, -1), (3, 0), (0, 0)])
def test_stride_must_leave_room(tokenizer_json: str, max_length: int, stride: int) -> None:
    with pytest.raises(ConfigError, match=f"max_length {max_length}"):
        PieceEncoder(tokenizer_json, max_length=max_length, stride=stride)


def test_other_json_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        PieceEncoder('{"no": "tokenizer"}', max_length=16)


def test_settings_rebuild_the_encoder(tokenizer_json: str) -> None:
    encoder = PieceEncoder(tokenizer_json, max_length=9, stride=2, truncate=True)
    again = PieceEncoder.from_settings(encoder.settings(), tokenizer_json)
    assert again.settings() == encoder.settings() == {
        "kind": "pieces", "max_length": 9, "stride": 2, "truncate": True,
    }  # fmt: skip


FORK = """
import os, sys
from gradatim.text.pieces import PieceEncoder
encoder = PieceEncoder(open(sys.argv[1]).read(), max_length=16)
texts = ["good film"] * 1000
encoder.encode(texts)
child = os.fork()
encoded = encoder.encode(texts)
if child == 0:
    os._exit(0 if len(encoded.owners) == 1000 else 1)
assert os.waitpid(child, 0)[1] == 0
assert "TOKENIZERS_PARALLELISM" not in os.environ
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_encodes_without_warning(tokenizer_json: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer_json, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(path)], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_empty_batch(tokenizer_json: str) -> None:
    encoded = PieceEncoder(tokenizer_json, max_length=16).encode([])
    arrays: dict[str, Array] = dict(encoded.arrays)
    assert [len(arrays[name]) for name in ("ids", "segments", "lengths")] == [0, 0, 0]

"""Tokenizers: what each preset learns, frames and refuses; and the two commands."""

from __future__ import annotations

import gzip
import json
from itertools import groupby
from pathlib import Path

import pytest
from tokenizers import Encoding, Tokenizer

from gradatim.cli import main
from gradatim.errors import ConfigError
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import (
    PRESETS,
    TokenizerConfig,
    load_tokenizer,
    preset,
    train_tokenizer,
)

SENTENCES = (
    "the lower the newest the widest river", "Lower newer wider; a naïve newest rival",
    "the lowest river runs lower, never newer", "a wider rival never runs the lowest river",
)  # fmt: skip
LINES = [f"{sentence}\n" for sentence in SENTENCES * 4]
FRAMES = {
    "bert": ("[CLS] 0 [SEP]", "[CLS] 0 [SEP] 1 [SEP]"),
    "transformer": ("0 </s>", "0 </s> 1 </s>"),
    "gpt": ("0", "0 1"),
    "gpt2": ("0", "0 1"),
    "roberta": ("<s> 0 </s>", "<s> 0 </s> </s> 1 </s>"),
    "t5": ("0 </s>", "0 </s> 1 </s>"),
    "marian": ("0 </s>", "0 </s> 1 </s>"),
    "word": ("0", "0 1"),
    "elmo": ("0", "0 1"),
    "character": ("0", "0 1"),
}


def learn(name: str, size: int = 400, **changes: object) -> Tokenizer:
    return train_tokenizer(iter([LINES]), preset(name, **changes), size)  # type: ignore[arg-type]


def frame(encoding: Encoding) -> str:
    """Special tokens, and for the pieces of each text of the pair its number."""
    runs = groupby(zip(encoding.sequence_ids, encoding.tokens, strict=True), key=lambda pair: pair[0])
    return " ".join(" ".join(piece for _, piece in run) if text is None else str(text) for text, run in runs)


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_frames_as_its_family_does(name: str) -> None:
    tokenizer = learn(name)
    single, pair = FRAMES[name]
    assert frame(tokenizer.encode("a")) == single
    assert frame(tokenizer.encode("the river", "newest")) == pair
    assert [tokenizer.id_to_token(i) for i in range(len(PRESETS[name].specials))] == list(
        PRESETS[name].specials
    )


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("word", "character")])
def test_pieces_merge_what_recurs_and_read_back(name: str) -> None:
    tokenizer = learn(name)
    ids = tokenizer.encode("the newest river", add_special_tokens=False).ids
    assert len(ids) < 12  # 14 letters
    assert tokenizer.decode(ids) == "the newest river"


def test_segments_differ_where_the_template_says_so() -> None:
    assert learn("bert").encode("a", "a").type_ids == [0, 0, 0, 1, 1]
    assert learn("roberta").encode("a", "a").type_ids == [0] * 6


def test_sentinels_take_the_last_ids_first_one_highest() -> None:
    tokenizer = learn("t5")
    last = tokenizer.get_vocab_size() - 1
    assert [tokenizer.token_to_id(f"<extra_id_{i}>") for i in (0, 1, 99)] == [last, last - 1, last - 99]
    assert tokenizer.encode("a <extra_id_0> a").ids.count(last) == 1


def test_what_was_not_seen_is_unknown_except_to_bytes() -> None:
    assert "[UNK]" in learn("wordpiece").encode("漢").tokens
    assert PRESETS["t5"].specials.index("<unk>") in learn("unigram").encode("漢").ids
    assert learn("byte-bpe").decode(learn("byte-bpe").encode("漢\n 字").ids) == "漢\n 字"


def test_a_mask_takes_the_space_before_it_at_byte_level() -> None:
    tokenizer = learn("roberta")
    assert tokenizer.encode("the<mask> river").ids == tokenizer.encode("the <mask> river").ids
    assert tokenizer.token_to_id("<mask>") in tokenizer.encode("the <mask> river").ids


def test_lowercase_folds_case_and_further_specials_follow() -> None:
    tokenizer = learn("wordpiece", lowercase=True, specials=["[E1]", "[SEP]"])
    assert tokenizer.encode("LOWER Naïve").ids == tokenizer.encode("lower naive").ids
    assert tokenizer.token_to_id("[E1]") == 5
    assert tokenizer.encode("a[E1]a", add_special_tokens=False).tokens == ["a", "[E1]", "a"]
    assert learn("wordpiece").encode("Lower").ids != learn("wordpiece").encode("lower").ids


def test_byte_level_training_repeats_to_the_byte_and_batches_do_not_matter() -> None:
    config = preset("gpt2")
    assert learn("gpt2").to_str() == train_tokenizer(iter(LINES), config, 400).to_str()


@pytest.mark.parametrize(
    ("kind", "spare"),
    [("wordpiece", 0), ("bpe", 0), ("byte-bpe", -3), ("unigram", 0), ("byte-bpe", 255), ("unigram", 4)],
)
def test_a_size_without_room_for_the_characters_is_refused(kind: str, spare: int) -> None:
    config = preset(kind)
    with pytest.raises(ConfigError, match="too small"):
        train_tokenizer(iter(LINES), config, len(config.specials) + config.sentinels + spare)


def test_words_and_characters_are_those_of_the_text() -> None:
    lines = ["the cat <unk> sat", "the\tcat's </s> na\u00efve"] * 3
    words = train_tokenizer(lines, preset("word"), 100)
    assert words.get_vocab_size() == 7
    found = words.encode("the <unk> zebra </s> cat's")
    assert found.tokens == ["the", "<unk>", "<unk>", "</s>", "cat's"]
    assert found.ids[1] == found.ids[2] == words.token_to_id("<unk>") == 0
    assert words.decode(words.encode("the cat sat").ids) == "the cat sat"
    assert train_tokenizer(lines, preset("word"), 5).get_vocab_size() == 5
    characters = train_tokenizer(["a b\nc", "na\u00efve"], preset("character"), 100)
    text = "cab\n \u00ef"
    assert characters.encode(text).tokens == list(text)
    assert characters.decode(characters.encode(text).ids) == text
    with pytest.raises(ConfigError, match="too small"):
        train_tokenizer(lines, preset("word"), 2)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "byte-bpe", "unigram"])
def test_the_size_is_never_exceeded(kind: str) -> None:
    size = {"byte-bpe": 280, "unigram": 160}.get(kind, 100)
    assert learn(kind, size).get_vocab_size() <= size


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_rare_characters_do_not_crowd_out_words(kind: str) -> None:
    rare = "".join(chr(0x4E00 + i) for i in range(300))
    tokenizer = train_tokenizer(iter([*LINES, rare]), preset(kind), 120)
    assert len(tokenizer.encode("the river", add_special_tokens=False).ids) < 8


def test_a_config_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[SEP\]"):
        TokenizerConfig(kind="wordpiece", specials=("[UNK]",), unknown="[UNK]", single="$A [SEP]")
    with pytest.raises(ConfigError, match="differ"):
        TokenizerConfig(kind="byte-bpe", specials=("<s>", "<s>"))
    with pytest.raises(ConfigError, match="did you mean 'unigram'"):
        preset("unigrams")


@pytest.mark.parametrize("name", PRESETS)
def test_the_encoder_reads_every_kind_in_windows(name: str) -> None:
    tokenizer = learn(name)
    encoder = PieceEncoder(tokenizer.to_str(), max_length=16, stride=2)
    long = "a naïve river " * 9
    encoded = encoder.encode(["", long, "a"], ["a", "the newest river", long], spans=True)
    arrays = encoded.arrays
    assert arrays["lengths"].max() <= 16
    assert len(set(map(len, (arrays[n] for n in ("ids", "segments", "origins", "starts", "ends"))))) == 1
    assert set(encoded.owners.tolist()) == {0, 1, 2}
    empty = encoder.encode([""], spans=True)
    assert len(empty.arrays["ids"]) == max(1, len(FRAMES[name][0].split()) - 1)
    assert empty.arrays["ends"].max() == 0


def test_a_text_of_nothing_is_an_end_of_text_to_gpt2() -> None:
    tokenizer = learn("gpt2")
    encoded = PieceEncoder(tokenizer.to_str(), max_length=8).encode(["", "a"])
    assert encoded.arrays["ids"].tolist() == [
        tokenizer.token_to_id("<|endoftext|>"),
        *tokenizer.encode("a").ids,
    ]


def test_documents_come_without_frame_or_windows() -> None:
    tokenizer = learn("t5")
    encoded = PieceEncoder(tokenizer.to_str(), max_length=8).documents(["a the " * 50, "", "river"])
    a_the, river = (len(tokenizer.encode(text).ids) - 1 for text in ("a the", "river"))
    assert encoded.arrays["lengths"].tolist() == [50 * a_the, 0, river]
    assert tokenizer.token_to_id("</s>") not in encoded.arrays["ids"]


def test_train_reads_files_folders_and_tables_and_writes_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "books"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("river " * 9, encoding="utf-8")
    (folder / "sub" / "b.txt.gz").write_bytes(gzip.compress(b"valley\n" * 9))
    (folder / "notes.md").write_text("mountain " * 9, encoding="utf-8")
    table = tmp_path / "t.csv"
    table.write_text("text,other\n" + "meadow,forest\n" * 9, encoding="utf-8")
    out = tmp_path / "tokenizer.json"
    main_ok("train", str(folder), str(table), "--text", "other", "--size", "200", "--out", str(out))
    vocabulary = set(json.loads(out.read_text(encoding="utf-8"))["model"]["vocab"])
    assert {"river", "valley", "forest"} <= vocabulary
    assert not {"mountain", "meadow"} & vocabulary
    assert "asked for" in capsys.readouterr().err
    before = out.read_bytes()
    (folder / "empty.txt").write_text("\n \n", encoding="utf-8")
    for source, target in (
        ("none.txt", out),
        ("books/empty.txt", out),
        ("t.csv", tmp_path / "no" / "t.json"),
    ):
        with pytest.raises(SystemExit) as exit_:
            main(["tokenizer", "train", str(tmp_path / source), "--size", "200", "--out", str(target)])
        assert exit_.value.code == 2
    assert out.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["books", "t.csv", "tokenizer.json"]


def test_show_prints_pieces_with_ids_and_offsets(
    tmp_path: Path, tiny_artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = learn("bert", lowercase=True)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    main_ok("show", str(tmp_path), "The [MASK] rivers", "--pair", "a")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    river = tokenizer.token_to_id("river")
    assert [str(river), "river", "11", "16", "'river'", "0"] in lines
    assert ["4", "[MASK]", "4", "10", "'[MASK]'", "0"] in lines
    main_ok("show", str(tiny_artifact), "bad")
    assert ["5", "bad", "0", "3", "'bad'", "0"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigError, match=r"no tokenizer\.json"):
        load_tokenizer(tmp_path)


def main_ok(*args: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["tokenizer", *args])
    assert exit_.value.code == 0

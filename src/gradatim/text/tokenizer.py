"""Training of tokenizers: word pieces, byte pairs, unigrams, words and characters, dressed as model families read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing

from gradatim.errors import ConfigError, did_you_mean

Kind = Literal["wordpiece", "bpe", "byte-bpe", "unigram", "word", "character"]

UNKNOWN_WORD = "<unk>"
PREFIX, SUFFIX, SPACE = "##", "</w>", "▁"  # continues a word, ends a word, begins a word
MIN_COUNT = 2  # a pair seen once is no pattern
ALPHABET_SHARE = 4  # single characters fill at most a fourth of the vocabulary; rarer ones are unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerConfig:
    """What a model family expects of its tokenizer.

    `specials` get the first ids, in this order; `unknown` and `mask` name two of them, "" if there is
    none. `single` and `pair` are templates of special tokens around `$A` and `$B`, `:1` giving the
    segment. `sentinels` are `<extra_id_0>` and on, which take the last ids, the first of them the
    highest. `lowercase` of the kinds "wordpiece" and "bpe" strips accents too, as BERT does; `punctuation` of the kind
    "word" makes every punctuation mark a word.
    """

    kind: Kind
    specials: tuple[str, ...]
    unknown: str = ""
    mask: str = ""
    single: str = "$A"
    pair: str = "$A $B"
    sentinels: int = 0
    lowercase: bool = False
    punctuation: bool = False

    def __post_init__(self) -> None:
        framed = [part.partition(":")[0] for part in f"{self.single} {self.pair}".split()]
        named = {*framed, self.unknown, self.mask} - {"$A", "$B", ""}
        if missing := sorted(named.difference(self.specials)):
            raise ConfigError(f"not among the special tokens, though used as such: {' '.join(missing)}")
        if len(set(self.specials)) < len(self.specials) or "" in self.specials:
            raise ConfigError(f"special tokens must differ and not be empty: {' '.join(self.specials)}")


PRESETS = {
    # Devlin et al. 2019
    "bert": TokenizerConfig(
        kind="wordpiece",
        specials=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), unknown="[UNK]", mask="[MASK]",
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
    ),
    # Sennrich et al. 2016, as Vaswani et al. 2017 use it
    "transformer": TokenizerConfig(
        kind="bpe",
        specials=("<pad>", "<s>", "</s>", "<unk>"), unknown="<unk>",
        single="$A </s>", pair="$A </s> $B </s>",
    ),
    # Radford et al. 2018
    "gpt": TokenizerConfig(kind="bpe", specials=("<unk>",), unknown="<unk>", lowercase=True),
    # Radford et al. 2019
    "gpt2": TokenizerConfig(kind="byte-bpe", specials=("<|endoftext|>",)),
    # Liu et al. 2019
    "roberta": TokenizerConfig(
        kind="byte-bpe",
        specials=("<s>", "<pad>", "</s>", "<unk>", "<mask>"), unknown="<unk>", mask="<mask>",
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
    ),
    # Raffel et al. 2020 (Kudo 2018)
    "t5": TokenizerConfig(
        kind="unigram",
        specials=("<pad>", "</s>", "<unk>"), unknown="<unk>",
        single="$A </s>", pair="$A </s> $B </s>", sentinels=100,
    ),
    # Junczys-Dowmunt et al. 2018, as Tiedemann & Thottingal 2020 ship it
    "marian": TokenizerConfig(
        kind="unigram",
        specials=("</s>", "<unk>", "<pad>"), unknown="<unk>",
        single="$A </s>", pair="$A </s> $B </s>",
    ),
    # Words between spaces, as the language models before them
    "word": TokenizerConfig(kind="word", specials=("<unk>", "</s>"), unknown="<unk>"),
    # Peters et al. 2018: what is predicted; what is read are letters
    "elmo": TokenizerConfig(kind="word", specials=("<unk>",), unknown="<unk>", punctuation=True),
    "character": TokenizerConfig(kind="character", specials=("<unk>", "</s>"), unknown="<unk>"),
}  # fmt: skip
_FAMILY_OF = {"wordpiece": "bert", "bpe": "transformer", "byte-bpe": "gpt2", "unigram": "t5"}


def preset(name: str, *, lowercase: bool = False, specials: Iterable[str] = ()) -> TokenizerConfig:
    """The preset of a family or of a kind's own family, with further special tokens after its own."""
    family = _FAMILY_OF.get(name, name)
    if family not in PRESETS:
        known = [*_FAMILY_OF, *PRESETS]
        raise ConfigError(f"no tokenizer {name!r}{did_you_mean(name, known)}; known are {', '.join(known)}")
    base = PRESETS[family]
    every = tuple(dict.fromkeys((*base.specials, *specials)))
    return replace(base, lowercase=lowercase or base.lowercase, specials=every)


def train_tokenizer(
    texts: Iterable[str | list[str]], config: TokenizerConfig, size: int, *, progress: bool = False
) -> Tokenizer:
    """Learn a vocabulary of at most `size` tokens, special tokens and sentinels included.

    `texts` may be endless batches: only the distinct words are held in memory. Text too small for
    `size` gives fewer tokens. The kind "byte-bpe" repeats to the byte; the library breaks ties of the
    others in the order of a hash map, so a second run may number rare pieces otherwise: keep the file.
    Raises ConfigError if `size` has no room for the characters.
    """
    too_small = f"a vocabulary of {size} is too small: special tokens, sentinels and the characters need "
    named = len(config.specials) + config.sentinels
    if size <= named:
        raise ConfigError(f"{too_small}more than {named}")
    model, trainer = _learner(config, size - config.sentinels, progress)
    learner = _dressed(model, config)
    try:
        learner.train_from_iterator(iter(texts), trainer)
    except Exception as error:
        if "not large enough" in str(error):  # the library's one error of this kind
            raise ConfigError(f"{too_small}more") from error
        raise
    model = _numbered(learner, config, size) if config.kind in ("word", "character") else learner.model
    tokenizer = build_tokenizer(model, config)
    if tokenizer.get_vocab_size() > size:
        raise ConfigError(f"{too_small}{tokenizer.get_vocab_size()}")
    return tokenizer


def word_tokenizer(words: Sequence[str]) -> Tokenizer:
    """One token for each of these words between white space, after `<unk>`; lower-cased if they all are."""
    lowercase = all(word == word.lower() for word in words)
    config = TokenizerConfig(kind="word", specials=(UNKNOWN_WORD,), unknown=UNKNOWN_WORD, lowercase=lowercase)
    numbers = {word: number for number, word in enumerate(dict.fromkeys((UNKNOWN_WORD, *words)))}
    return build_tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN_WORD), config)


def build_tokenizer(model: models.Model, config: TokenizerConfig) -> Tokenizer:
    """The model between what prepares text for it and what frames its pieces.

    Special tokens that the model's vocabulary lacks are added at its end, then the sentinels.
    """
    tokenizer = _dressed(model, config)
    # A masked word took its space along: what stands in for it must too (byte level only).
    swallows = {config.mask} if config.kind == "byte-bpe" else set()
    tokenizer.add_special_tokens([AddedToken(token, lstrip=token in swallows) for token in config.specials])
    tokenizer.add_special_tokens([f"<extra_id_{i}>" for i in reversed(range(config.sentinels))])
    tokenizer.post_processor = TemplateProcessing(
        single=config.single,
        pair=config.pair,
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in config.specials],
    )
    return tokenizer


def load_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """Read a `tokenizer.json`, or the one in a folder; raises ConfigError where there is none."""
    file = Path(path).expanduser()
    file = file / "tokenizer.json" if file.is_dir() else file
    try:
        return parse_tokenizer(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no tokenizer.json: {error}") from error


def parse_tokenizer(text: str) -> Tokenizer:
    """The tokenizer in the text of a `tokenizer.json`, with padding and truncation switched off."""
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing narrower
        raise ConfigError(f"tokenizer.json cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _dressed(model: models.Model, config: TokenizerConfig) -> Tokenizer:
    """The model with its kind's normaliser, pre-tokeniser and decoder."""
    tokenizer = Tokenizer(model)
    lower = [normalizers.Lowercase()] if config.lowercase else []
    match config.kind:
        case "wordpiece" | "bpe":
            tokenizer.normalizer = normalizers.BertNormalizer(lowercase=config.lowercase)
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            whole = config.kind == "wordpiece"
            tokenizer.decoder = decoders.WordPiece(PREFIX) if whole else decoders.BPEDecoder(SUFFIX)
        case "byte-bpe":
            tokenizer.normalizer = normalizers.Sequence(lower) if lower else None
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
        case "unigram":
            tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), *lower])
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")]
            )
            tokenizer.decoder = decoders.Metaspace(SPACE, prepend_scheme="always")
        case "word":
            tokenizer.normalizer = normalizers.Sequence(lower) if lower else None
            marks = [pre_tokenizers.Punctuation()] if config.punctuation else []
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), *marks])
        case "character":
            tokenizer.normalizer = normalizers.Sequence(lower) if lower else None
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?m)."), "isolated")
            tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _numbered(learner: Tokenizer, config: TokenizerConfig, size: int) -> models.WordLevel:
    """So many tokens: the special ones, which the text may hold as words too, and then the words learned."""
    vocabulary = learner.get_vocab()
    words = [word for word in sorted(vocabulary, key=vocabulary.__getitem__) if word not in config.specials]
    numbers = {word: number for number, word in enumerate((*config.specials, *words)[:size])}
    return models.WordLevel(numbers, unk_token=config.unknown)


def _learner(config: TokenizerConfig, size: int, progress: bool) -> tuple[models.Model, trainers.Trainer]:
    """An empty model and what fills it."""
    shared: dict[str, Any] = {
        "vocab_size": size, "special_tokens": list(config.specials), "show_progress": progress
    }  # fmt: skip
    words = {**shared, "min_frequency": MIN_COUNT, "limit_alphabet": max(1, size // ALPHABET_SHARE)}
    match config.kind:
        case "wordpiece":
            model = models.WordPiece(unk_token=config.unknown, continuing_subword_prefix=PREFIX)
            return model, trainers.WordPieceTrainer(continuing_subword_prefix=PREFIX, **words)
        case "bpe":
            pairs = models.BPE(unk_token=config.unknown, end_of_word_suffix=SUFFIX)
            return pairs, trainers.BpeTrainer(end_of_word_suffix=SUFFIX, **words)
        case "byte-bpe":
            every = pre_tokenizers.ByteLevel.alphabet()  # every byte, seen or not: nothing is unknown
            shared |= {"min_frequency": MIN_COUNT, "initial_alphabet": every}
            return models.BPE(), trainers.BpeTrainer(**shared)
        case "unigram":
            return models.Unigram(), trainers.UnigramTrainer(unk_token=config.unknown, **shared)
        case "word" | "character":
            # Words of the text that are special are counted twice.
            shared["vocab_size"] += len(config.specials)
            return models.WordLevel(unk_token=config.unknown), trainers.WordLevelTrainer(**shared)

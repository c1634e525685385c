"""Kinds that learn from plain text: the next word, hidden words, hidden spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from gradatim.checkpoint.config import ModelConfig
from gradatim.errors import ConfigError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.elmo import ElmoConfig
from gradatim.models.language import Seq2Seq
from gradatim.objectives.base import IGNORED
from gradatim.objectives.both_ways import BothWays
from gradatim.objectives.causal import CausalLanguage
from gradatim.objectives.corruption import SpanCorruption
from gradatim.objectives.masked import MaskedLanguage, Masking
from gradatim.objectives.next_sentence import NextSentence
from gradatim.objectives.streams import StreamedLanguage
from gradatim.text.characters import letters_of
from gradatim.text.pieces import PieceEncoder
from gradatim.text.spelled import number_words
from gradatim.train.build import Materials, Prepared
from gradatim.train.documents import CHUNK, split_sentences
from gradatim.train.kinds.primed import prime

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<pad>", "<unk>", "<mask>")


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalSettings:
    """kind = "causal": the next token of plain text.

    carried  documents are joined, so that all rows are full
    streams  rows go on where the batch before ended, its state carried along: `batch_size` streams, of which
             each batch has the next `max_length` tokens. Recurrent bodies read so unless told otherwise.
    tied     the output's words are the input's, where the widths agree
    """

    carried: bool = True
    streams: bool | None = None
    tied: bool = True

    def prepare(self, materials: Materials) -> Prepared:
        if not materials.body.causal:
            raise ConfigError(
                '[objective] kind "causal" needs a model that reads one way: preset lstm, gpt or gpt2'
            )
        end = materials.token("<|endoftext|>", "</s>", "<eos>", "[SEP]")
        transformer = isinstance(materials.body, BackboneConfig)
        if self.streams and transformer:
            raise ConfigError("[objective] streams: a Transformer has no state to carry on; leave it out")
        streams = not transformer if self.streams is None else self.streams
        length, num_streams = materials.data.max_length, materials.recipe.batch_size

        def objective(texts: list[str]) -> CausalLanguage | StreamedLanguage:
            plain = materials.plain(texts)
            if streams:
                return StreamedLanguage(plain, length, num_streams=num_streams, end_id=end, shifted=True)
            return CausalLanguage(plain, length, end_id=end, carried=self.carried)

        tied = self.tied and materials.body.output_width == materials.body.width
        config = ModelConfig(
            kind="causal", body=materials.body, tied=tied, bias=not transformer,
            special={} if end is None else {"eos": end},
        )  # fmt: skip
        made = materials.language(config, objective)
        if config.bias:
            materials.begin_at(made.model, cast(CausalLanguage | StreamedLanguage, made.objective).ids)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class BothWaysSettings:
    """kind = "both_ways": every word of plain text from those before and from those after it (ELMo).

    The tokenizer, of kind "elmo", names the words that are predicted; read are the letters of any.

    sampled  the right word is told among the words of the batch, not among all, which takes most of the time
    """

    sampled: bool = False

    def prepare(self, materials: Materials) -> Prepared:
        if not isinstance(materials.body, ElmoConfig):
            raise ConfigError('[objective] kind "both_ways" needs preset elmo')
        unknown = materials.token("<unk>")

        def objective(texts: list[str]) -> BothWays:
            encoder = PieceEncoder(materials.tokenizer_json, max_length=materials.data.max_length)
            places: dict[str, int] = {}
            words, targets, sizes = [], [], []
            for begin in range(0, len(texts), CHUNK):
                some = texts[begin : begin + CHUNK]
                found = encoder.encode(some, spans=True)
                owners = np.repeat(found.owners, found.arrays["lengths"])
                spans = (found.arrays[name].tolist() for name in ("starts", "ends"))
                names = [some[i][a:b] for i, a, b in zip(owners.tolist(), *spans, strict=True)]
                words.append(number_words(names, places).astype(np.int32))
                targets.append(found.arrays["ids"].astype(np.int32))
                sizes.append(np.bincount(owners, minlength=len(some)))
            following = np.concatenate(targets)
            following[following == unknown] = IGNORED
            letters, length = letters_of(places), materials.data.max_length
            return BothWays(
                letters, np.concatenate(words), following, np.concatenate(sizes), length, sampled=self.sampled
            )

        made = materials.language(ModelConfig(kind="both_ways", body=materials.body), objective)
        targets = cast(BothWays, made.objective).targets
        materials.begin_at(made.model, targets[targets != IGNORED])
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedSettings:
    """kind = "masked": hidden words of plain text; `share` of them, or of whole words."""

    share: float = 0.15
    whole_words: bool = False

    def masking(self, materials: Materials) -> Masking:
        mask = materials.token("[MASK]", "<mask>")
        if mask is None or materials.body.causal:
            raise ConfigError(
                "[objective] masked words need a model that reads both ways, as preset bert, and a mask token"
            )
        vocab_size = materials.body.vocab_size
        continues = np.zeros(vocab_size, dtype=bool)
        for piece, index in materials.tokenizer.get_vocab().items():
            continues[index] = piece.startswith("##")
        if self.whole_words and not continues.any():
            raise ConfigError("[objective] whole_words needs a tokenizer whose pieces go on with ##")
        return Masking(
            mask_id=mask,
            vocab_size=vocab_size,
            specials=tuple(i for name in SPECIAL if (i := materials.token(name)) is not None),
            share=self.share,
            continues=continues if self.whole_words else None,
        )

    def prepare(self, materials: Materials) -> Prepared:
        masking = self.masking(materials)
        body = materials.transformer
        config = ModelConfig(kind="masked", body=body, norm_eps=body.block.norm_eps)
        return materials.language(config, lambda texts: MaskedLanguage(materials.rows(texts), masking))


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSentenceSettings(MaskedSettings):
    """kind = "next_sentence": BERT's pretraining, masked words and whether one passage follows another."""

    def prepare(self, materials: Materials) -> Prepared:
        masking = self.masking(materials)
        first, between = materials.token("[CLS]", "<s>"), materials.token("[SEP]", "</s>")
        body = materials.transformer
        if first is None or between is None or body.embedding.num_segments < 2:
            raise ConfigError('[objective] kind "next_sentence" needs preset bert and its special tokens')

        def objective(texts: list[str]) -> NextSentence:
            split = [split_sentences(text) for text in texts]
            return NextSentence(
                materials.plain([part for parts in split for part in parts]),
                np.repeat(np.arange(len(texts)), [len(parts) for parts in split]),
                masking,
                length=materials.data.max_length,
                first_id=first,
                between_id=between,
            )

        config = ModelConfig(kind="pretraining", body=body, norm_eps=body.block.norm_eps)
        return materials.language(config, objective, fewest=2)  # B may come from another document


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCorruptionSettings:
    """kind = "span_corruption": T5's pretraining, spans of plain text replaced by sentinels and written out.

    share  of the tokens that is lost, in spans of `mean_span` on average
    tied   the output matrix is the word vectors (T5; not in v1.1). Adam moves such large vectors slowly
    primed fresh weights of preset t5 look near by and know how often each token is written, see `train.kinds.primed`
    """

    share: float = 0.15
    mean_span: float = 3.0
    tied: bool = True
    primed: bool = False

    def __post_init__(self) -> None:
        if self.primed and self.tied:
            raise ConfigError("[objective] primed needs an output of its own: set tied = false")

    def prepare(self, materials: Materials) -> Prepared:
        sentinels = [materials.token(f"<extra_id_{i}>") for i in range(100)]
        known = [i for i in sentinels if i is not None]
        start, end = materials.token("<pad>"), materials.token("</s>")
        if not known or start is None or end is None:
            raise ConfigError(
                '[objective] kind "span_corruption" needs a tokenizer with <pad>, </s> and <extra_id_0>, ...'
            )
        body = materials.transformer
        if self.primed and not body.buckets:
            raise ConfigError("[objective] primed is for preset t5, whose positions are relative")
        # T5 scales what tied word vectors score.
        scale = body.width**-0.5 if body.buckets and self.tied else 1.0
        config = ModelConfig(
            kind="seq2seq", body=body, decoder=materials.settings.sides(body)[1], scale=scale, tied=self.tied,
            special={"pad": start, "start": start, "eos": end},
        )  # fmt: skip

        def objective(texts: list[str]) -> SpanCorruption:
            return SpanCorruption(
                materials.plain(texts), materials.data.max_length, sentinel_id=known[0],
                num_sentinels=len(known), end_id=end, start_id=start, share=self.share, mean_span=self.mean_span,
            )  # fmt: skip

        made = materials.language(config, objective)
        if self.primed and materials.start is None:
            prime(cast(Seq2Seq, made.model), cast(SpanCorruption, made.objective))
        return made

"""kind = "seq2seq": a text from another, as a translation or a summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from gradatim.checkpoint.config import ModelConfig
from gradatim.data.cleaning import cleaned
from gradatim.data.parallel import Parallel, load_parallel
from gradatim.data.splits import content_key, held_out
from gradatim.decode.search import Search
from gradatim.errors import ConfigError, DataError
from gradatim.models.inputs import PackedTexts
from gradatim.models.language import EncoderDecoder
from gradatim.models.stepper import TorchStepper
from gradatim.objectives.redrawn import Redrawn
from gradatim.objectives.seq2seq import SequenceToSequence
from gradatim.pipelines.overlap import TOKENISED, Measure, overlap
from gradatim.pipelines.text_to_text import TextToText
from gradatim.text.lattice import Lattice
from gradatim.train.build import Materials, Prepared
from gradatim.train.kinds.reading import one_source
from gradatim.wording import count

STARTS, ENDS = ("<s>", "<pad>", "[CLS]", "<|endoftext|>"), ("</s>", "[SEP]", "<|endoftext|>")
MAIN = {"bleu": "bleu", "chrf": "chrf", "rouge": "rouge2"}
SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq2SeqSettings:
    """kind = "seq2seq": pairs of texts, the second learned from the first.

    smoothing  share of probability spread over the vocabulary (0.1 in Vaswani et al. 2017)
    measure    "bleu", "chrf" or "rouge" on dev, of what is written greedily while training and with `beams` at its end
    judged     texts of dev that are written for an evaluation while training
    clean      leave out pairs that do not belong: repeated, copied, of wrong length or language
    prefix     what every source begins with, naming the task (T5)
    language   of the targets ("de"), for BLEU as papers count it, of lower-case Moses tokens: it then judges on dev
    shared     whether both sides have the same word vectors
    redrawn    power of their probabilities by which divisions of words into pieces are drawn anew for every batch
               (Kudo 2018), with a tokenizer of kind unigram: more to learn from where pairs are few
    tied, bias of the output matrix: the word vectors, and whether each word has a number of its own
    test       whether to measure on the test split too, once, at the end
    """

    smoothing: float = 0.1
    measure: Measure = "bleu"
    judged: int = 500
    beams: int = 5
    clean: bool = True
    prefix: str = ""
    language: str | None = None
    shared: bool = True
    redrawn: float | None = None
    tied: bool = True
    bias: bool = False
    test: bool = False

    def prepare(self, materials: Materials) -> Prepared:
        data, (splits, notes) = materials.data, self._splits(materials)
        train, config = splits["train"], self._config(materials)
        start, end = config.special["start"], config.special["eos"]
        pieces = materials.encoder()
        train, targets = self._short(materials, train, notes)
        targets = targets.ended(end)
        notes.append(
            f"{count(len(targets), 'pair')} to train on, {len(splits['dev'].sources):,} to evaluate on"
        )
        model = cast(EncoderDecoder, materials.build(config))
        writer = TextToText(
            TorchStepper(model, start=start, bf16=materials.recipe.bf16()),
            pieces, materials.tokenizer_json, end=end, longest=materials.body.longest, prefix=self.prefix,
        )  # fmt: skip

        def judge(pairs: Parallel, search: Search) -> Mapping[str, float]:
            training = model.training
            written = writer(pairs.sources, search)
            model.train(training)
            return overlap(written, pairs.targets, self.measure, language=self.language)

        greedy = Search(end=end, max_length=data.max_length)
        best = Search(end=end, max_length=data.max_length, beams=self.beams, best=1)
        some = splits["dev"].take(list(range(min(self.judged, len(splits["dev"].sources)))))

        def examples() -> Sequence[str]:
            shown = some.take(list(range(min(SHOWN, len(some.sources)))))
            return [
                f"{source}\n  -> {said}\n  (wanted: {target})"
                for source, target, said in zip(*shown, writer(shown.sources, best), strict=True)
            ]

        sources = materials.rows([self.prefix + text for text in train.sources])
        objective = SequenceToSequence(
            sources, targets, start_id=start, smoothing=self.smoothing,
            redrawn=self._redrawn(materials, sources, targets),
        )  # fmt: skip
        main = TOKENISED if self.measure == "bleu" and self.language else MAIN[self.measure]
        notes.append(f"score is {main} of {len(some.sources):,} texts of dev, written greedily")
        return Prepared(
            model, config, objective, lambda: judge(some, greedy)[main], materials.tokenizer_json, tuple(notes),
            metrics=lambda: judge(splits["dev"], best),
            test=(lambda: judge(splits["test"], best)) if self.test else None, examples=examples,
        )  # fmt: skip

    def _redrawn(self, materials: Materials, *sides: PackedTexts) -> tuple[Redrawn, Redrawn] | None:
        """Both sides with pieces drawn anew, if they are to be."""
        if self.redrawn is None:
            return None
        lattice = Lattice(materials.tokenizer_json)
        rooms = materials.encoder().max_length, materials.data.max_length
        sources, targets = (
            Redrawn(side, lattice, power=self.redrawn, longest=room)
            for side, room in zip(sides, rooms, strict=True)
        )
        return sources, targets

    def _config(self, materials: Materials) -> ModelConfig:
        if materials.start is not None and materials.start.config.kind == "seq2seq":
            return replace(materials.start.config, prefix=self.prefix)
        start, end = materials.token(*STARTS), materials.token(*ENDS)
        if end is None:
            raise ConfigError(
                '[objective] kind "seq2seq" needs a tokenizer with an end token: of kind marian, for example'
            )
        start = end if start is None else start
        body, reader = materials.settings.sides(materials.body)
        return ModelConfig(
            kind="seq2seq", body=body, decoder=reader, shared=self.shared,
            scale=body.width**-0.5 if getattr(body, "buckets", 0) and self.tied else 1.0,
            tied=self.tied, bias=self.bias, prefix=self.prefix,
            special={"pad": start, "start": start, "eos": end},
        )  # fmt: skip

    def _short(self, materials: Materials, pairs: Parallel, notes: list[str]) -> tuple[Parallel, PackedTexts]:
        """The pairs of which both sides can be read at once, and the tokens of their targets."""
        longest, room = materials.data.max_length, materials.encoder().room
        sources = materials.plain([self.prefix + text for text in pairs.sources]).sizes
        targets = materials.plain(pairs.targets)
        short = np.flatnonzero((sources <= room) & (targets.sizes < longest))
        if len(short) == len(targets):
            return pairs, targets
        if not len(short):
            raise ConfigError(f"[data] max_length {longest} is less than every pair has")
        notes.append(
            f"{count(len(targets) - len(short), 'pair')} left out, a side is longer than {longest} tokens"
        )
        pairs = pairs.take(short.tolist())
        return pairs, materials.plain(pairs.targets)

    def _splits(self, materials: Materials) -> tuple[dict[str, Parallel], list[str]]:
        """Train, cleaned if it is to be, and dev, held out where it is not given; notes on what was left out."""
        data, source = materials.data, one_source(materials, "seq2seq")
        splits, notes = load_parallel(source, text=data.text, text_pair=data.text_pair)
        for split, given in (("dev", data.dev), ("test", data.test)):
            if given is not None:
                splits[split] = load_parallel(given, text=data.text, text_pair=data.text_pair)[0]["train"]
        if self.test and "test" not in splits:
            raise ConfigError("[objective] test: the data has no test split")
        if "dev" not in splits:
            whole = splits["train"]
            keys = [content_key(source, None) for source in whole.sources]
            made = held_out(keys, {"dev": data.share()}, materials.recipe.seed)
            splits |= {name: whole.take(rows.tolist()) for name, rows in made.items()}
        if not splits["dev"].sources:
            raise DataError("[data] too few different sources to hold out some: add more, or give dev")
        if self.clean:
            splits["train"], left_out = cleaned(splits["train"])
            notes += left_out
        return splits, notes

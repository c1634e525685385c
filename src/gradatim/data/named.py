"""Benchmark sets in the folder `GRADATIM_DATA`: which files a name stands for and how they read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradatim.data.tables import Row, Table, delimited_table, open_table, stamp_of, text_table
from gradatim.data.textfile import open_text
from gradatim.errors import DataError

Reader = Callable[[Path, str], Table]  # of a file and the split wanted from it


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A benchmark set: its files of train, dev and test ("-" for none) and how they read.

    `columns` are those of the text, of the label and of the second text of a pair; `names` are the names
    of the labels, by raw label or, in a sequence, for 0, 1, ...
    """

    paths: str
    read: Reader
    columns: tuple[str, ...]
    names: Mapping[str, str] | Sequence[str] = ()
    citation: str = ""
    licence: str = "not stated"

    @property
    def files(self) -> dict[str, str]:
        """The file of every split, relative to `GRADATIM_DATA`."""
        by_split = zip(("train", "dev", "test"), self.paths.split(), strict=True)
        return {split: path for split, path in by_split if path != "-"}

    def tables(self, root: Path) -> dict[str, Table]:
        """The table of every split; raises DataError when a file is not there."""
        roles = dict(zip(("text", "label", "text_pair"), self.columns, strict=False))
        names = (
            self.names if isinstance(self.names, Mapping) else {str(i): n for i, n in enumerate(self.names)}
        )
        found = {}
        for split, relative in self.files.items():
            path = root / relative
            if not path.is_file():
                raise DataError(
                    f"no such file: {path}; GRADATIM_DATA must point at the folder with the benchmark data"
                )
            found[split] = replace(self.read(path, split), roles=roles, names={roles.get("label", ""): names})
        return found


def _by_suffix(path: Path, _: str) -> Table:
    return open_table(path)


def _glue(path: Path, _: str) -> Table:
    """Tab-separated with a header, and quotation marks that mean nothing."""
    return delimited_table(path, "\t", quoted=False)


def _tabs(*columns: str) -> Reader:
    """The same without header."""
    return lambda path, _: delimited_table(path, "\t", quoted=False, columns=columns)


def _label_first(encoding: str = "utf-8") -> Reader:
    """One row a line: label, a space, the text."""
    return lambda path, _: text_table(path, encoding).mapped(
        lambda cells: cells[0].partition(" ")[::-2], "text", "label"
    )


def _ag_news(path: Path, split: str) -> Table:
    """The official test file has class 1-4, title, description; the training sample has text, class 0-3."""
    if split == "train":
        return delimited_table(path, ",", columns=("text", "label"))
    table = delimited_table(path, ",", columns=("class", "title", "description"))
    return table.mapped(lambda row: (f"{row[1]} {row[2]}", str(int(row[0]) - 1)), "text", "label")


def _clinc(path: Path, split: str) -> Table:
    """One JSON file with every split, in-scope and out-of-scope apart; here they are joined, label `oos`."""
    name = "val" if split == "dev" else split

    def scan() -> Iterator[Row]:
        with open_text(path) as stream:
            content = json.load(stream)
        yield from enumerate(content[name] + content[f"oos_{name}"], 1)

    return Table(f"{path} ({name})", ("text", "label"), scan, stamp_of(path))


_SENTIMENT = ("negative", "positive")
_EMOTIONS = """admiration amusement anger annoyance approval caring confusion curiosity desire disappointment
    disapproval disgust embarrassment excitement fear gratitude grief joy love nervousness optimism pride
    realization relief remorse sadness surprise neutral"""
_TEXT_LABEL = ("text", "label")
_SST = "Socher et al. 2013, Recursive Deep Models for Semantic Compositionality"
_IMDB = "Maas et al. 2011, Learning Word Vectors for Sentiment Analysis"
_GLUE = "Wang et al. 2019, GLUE"

NAMED: Mapping[str, NamedSet] = {
    "sst2": NamedSet("sst2/train.tsv sst2/dev.tsv -", _tabs(*_TEXT_LABEL), _TEXT_LABEL, _SENTIMENT, _SST),
    "sst5": NamedSet(
        "sst5/train.txt sst5/dev.txt -", _label_first(), _TEXT_LABEL,
        ("very negative", "negative", "neutral", "positive", "very positive"), _SST,
    ),
    "glue/SST-2": NamedSet(
        "glue/SST-2/train.tsv.gz glue/SST-2/dev.tsv -", _glue, ("sentence", "label"), _SENTIMENT,
        f"{_SST}; {_GLUE}",
    ),
    "imdb": NamedSet("imdb/train.jsonl.xz - imdb/test.jsonl.xz", _by_suffix, _TEXT_LABEL, _SENTIMENT, _IMDB),
    "imdb/unsup": NamedSet("imdb/unsup.jsonl.xz - -", _by_suffix, ("text",), citation=_IMDB),
    "trec": NamedSet(
        "trec/train.txt - trec/test.txt", _label_first("latin-1"), _TEXT_LABEL,
        ("DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM"), "Li & Roth 2002, Learning Question Classifiers",
    ),
    "mpqa": NamedSet(
        "mpqa/mpqa.all.txt - -", _label_first(), _TEXT_LABEL, _SENTIMENT,
        "Wiebe, Wilson & Cardie 2005, Annotating Expressions of Opinions and Emotions in Language",
    ),
    "ag_news": NamedSet(
        "ag_news/train_sample.csv.gz - ag_news/test.csv.gz", _ag_news, _TEXT_LABEL,
        ("World", "Sports", "Business", "Sci/Tech"),
        "Zhang, Zhao & LeCun 2015, Character-level Convolutional Networks for Text Classification",
        "non-commercial use",
    ),
    "20newsgroups": NamedSet(
        "20newsgroups/train.jsonl.xz - 20newsgroups/test.jsonl.xz", _by_suffix, ("text", "group"),
        citation="Lang 1995, NewsWeeder",
    ),
    "banking77": NamedSet(
        "banking77/train.csv.gz - banking77/test.csv.gz", _by_suffix, ("text", "category"), (),
        "Casanueva et al. 2020, Efficient Intent Detection with Dual Sentence Encoders", "CC-BY-4.0",
    ),
    "clinc150": NamedSet(
        " ".join(["clinc150/data_full.json.gz"] * 3), _clinc, _TEXT_LABEL, (),
        "Larson et al. 2019, An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction",
        "CC-BY-3.0",
    ),
    "goemotions": NamedSet(
        "goemotions/train.tsv.gz goemotions/dev.tsv.gz goemotions/test.tsv.gz", _tabs("text", "label", "id"),
        _TEXT_LABEL, _EMOTIONS.split(), "Demszky et al. 2020, GoEmotions", "Apache-2.0",
    ),
    "mrpc": NamedSet(
        "glue/MRPC/train.tsv.gz glue/MRPC/dev.tsv glue/MRPC/msr_paraphrase_test.txt.gz", _glue,
        ("#1 String", "Quality", "#2 String"), ("not_equivalent", "equivalent"),
        f"Dolan & Brockett 2005, Automatically Constructing a Corpus of Sentential Paraphrases; {_GLUE}",
    ),
    "rte": NamedSet(
        "glue/RTE/train.tsv.gz glue/RTE/dev.tsv -", _glue, ("sentence1", "label", "sentence2"), (),
        f"Dagan et al. 2006, The PASCAL Recognising Textual Entailment Challenge; {_GLUE}",
    ),
    "cola": NamedSet(
        "glue/CoLA/train.tsv.gz glue/CoLA/dev.tsv -", _tabs("source", "label", "mark", "text"), _TEXT_LABEL,
        ("unacceptable", "acceptable"),
        f"Warstadt, Singh & Bowman 2019, Neural Network Acceptability Judgments; {_GLUE}",
    ),
    "sick": NamedSet(
        "sick/SICK_train.txt sick/SICK_trial.txt sick/SICK_test_annotated.txt", _glue,
        ("sentence_A", "entailment_judgment", "sentence_B"),
        {name: name.lower() for name in ("ENTAILMENT", "NEUTRAL", "CONTRADICTION")},
        "Marelli et al. 2014, A SICK Cure for the Evaluation of Compositional Distributional Semantic Models",
        "CC-BY-NC-SA-3.0",
    ),
}  # fmt: skip
_ALIASES = {"glue/mrpc": "mrpc", "glue/rte": "rte", "glue/cola": "cola", "glue/sst2": "glue/SST-2"}


def data_root() -> Path | None:
    """The folder `GRADATIM_DATA`, if it is set."""
    named = os.environ.get("GRADATIM_DATA")
    return Path(named).expanduser() if named else None


def named_key(name: str) -> str | None:
    """The key in `NAMED` of a name in any case, or an alias of it; None if there is none."""
    plain = name.casefold()
    return _ALIASES.get(plain) or next((key for key in NAMED if key.casefold() == plain), None)

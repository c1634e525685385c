"""Benchmark sets in the folder `GRADATIM_DATA`: which files a name stands for and how they read."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gradatim.data.columns import Layout
from gradatim.data.delimited import Dialect, scan_delimited
from gradatim.data.tables import Row, Table, delimited_table, open_table, stamp_of
from gradatim.data.textfile import open_text
from gradatim.errors import DataError

Reader = Callable[[Path], Table]
_TEXT_AND_LABEL = Layout("text", label="label")


def _columns(*names: str, delimiter: str = "\t") -> Reader:
    """Delimited, without header; tabs come without quoting."""
    dialect = Dialect(delimiter, quoted=delimiter == ",", header=False, columns=names, named=True)
    return lambda path: delimited_table(path, dialect)


def _glue(path: Path) -> Table:
    """GLUE's tab-separated files: a header, and quotation marks that mean nothing."""
    with open_text(path) as stream:
        columns = tuple(stream.readline().rstrip("\r\n").split("\t"))
    return delimited_table(path, Dialect("\t", quoted=False, columns=columns, named=True))


def _label_first(path: Path, encoding: str = "utf-8") -> Table:
    """One row a line: label, a space, the text."""

    def scan() -> Iterator[Row]:
        with open_text(path, encoding) as stream:
            for number, line in enumerate(stream, 1):
                label, _, text = line.rstrip("\r\n").partition(" ")
                yield number, (text, label)

    return Table(str(path), ("text", "label"), scan, stamp_of(path))


def _trec(path: Path) -> Table:
    return _label_first(path, "latin-1")


def _ag_news(path: Path) -> Table:
    """The official file has class 1-4, title, description; the training sample has text, class 0-3."""
    official = path.name.startswith("test")
    names = ("class", "title", "description") if official else ("text", "class")
    dialect = Dialect(",", header=False, columns=names, named=True)

    def scan() -> Iterator[Row]:
        for number, cells in scan_delimited(path, dialect):
            if official:
                yield number, (f"{cells[1]} {cells[2]}", str(int(cells[0]) - 1))
            else:
                yield number, cells

    return Table(str(path), ("text", "label"), scan, stamp_of(path))


def _clinc(split: str) -> Reader:
    """One JSON file with every split, in-scope and out-of-scope apart; here they are joined, label `oos`."""

    def read(path: Path) -> Table:
        def scan() -> Iterator[Row]:
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                content = json.load(stream)
            yield from enumerate(content[split] + content[f"oos_{split}"], 1)

        return Table(f"{path} ({split})", ("text", "label"), scan, stamp_of(path))

    return read


@dataclass(frozen=True, slots=True)
class NamedSet:
    """Files of a benchmark set per split, relative to `GRADATIM_DATA`, and how they read.

    `names_file` holds the names of labels 0, 1, ... one a line.
    """

    files: Mapping[str, str]
    reader: Reader | Mapping[str, Reader]
    layout: Layout = _TEXT_AND_LABEL
    names_file: str | None = None
    licence: str = "not stated"
    citation: str = ""

    def tables(self, root: Path) -> dict[str, Table]:
        """The table of every split; raises DataError when a file is not there."""
        found = {}
        for split, relative in self.files.items():
            path = root / relative
            if not path.is_file():
                raise DataError(
                    f"no such file: {path}; GRADATIM_DATA must point at the folder with the benchmark data"
                )
            reader = self.reader if callable(self.reader) else self.reader[split]
            found[split] = reader(path)
        return found

    def layout_in(self, root: Path) -> Layout:
        """The layout with the label names that lie in a file."""
        if self.names_file is None:
            return self.layout
        names = (root / self.names_file).read_text(encoding="utf-8").split()
        return replace(self.layout, names=_numbered(*names))


def _numbered(*names: str) -> dict[str, str]:
    return {str(i): name for i, name in enumerate(names)}


_SENTIMENT = _numbered("negative", "positive")
_ENTAILMENT = {name: name for name in ("entailment", "not_entailment")}
_SST = "Socher et al. 2013, Recursive Deep Models for Semantic Compositionality"
_GLUE = "Wang et al. 2019, GLUE"

NAMED: Mapping[str, NamedSet] = {
    "sst2": NamedSet(
        {"train": "sst2/train.tsv", "dev": "sst2/dev.tsv"},
        _columns("text", "label"),
        layout=Layout("text", label="label", names=_SENTIMENT),
        citation=_SST,
    ),
    "sst5": NamedSet(
        {"train": "sst5/train.txt", "dev": "sst5/dev.txt"},
        _label_first,
        layout=Layout(
            "text",
            label="label",
            names=_numbered("very negative", "negative", "neutral", "positive", "very positive"),
        ),
        citation=_SST,
    ),
    "glue/SST-2": NamedSet(
        {"train": "glue/SST-2/train.tsv.gz", "dev": "glue/SST-2/dev.tsv"},
        _glue,
        layout=Layout("sentence", None, "label", names=_SENTIMENT),
        citation=f"{_SST}; {_GLUE}",
    ),
    "imdb": NamedSet(
        {"train": "imdb/train.jsonl.xz", "test": "imdb/test.jsonl.xz"},
        open_table,
        layout=Layout("text", label="label", names=_SENTIMENT),
        citation="Maas et al. 2011, Learning Word Vectors for Sentiment Analysis",
    ),
    "imdb/unsup": NamedSet(
        {"train": "imdb/unsup.jsonl.xz"},
        open_table,
        layout=Layout("text", labelled=False),
        citation="Maas et al. 2011, Learning Word Vectors for Sentiment Analysis",
    ),
    "trec": NamedSet(
        {"train": "trec/train.txt", "test": "trec/test.txt"},
        _trec,
        layout=Layout("text", label="label", names=_numbered("DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM")),
        citation="Li & Roth 2002, Learning Question Classifiers",
    ),
    "mpqa": NamedSet(
        {"train": "mpqa/mpqa.all.txt"},
        _label_first,
        layout=Layout("text", label="label", names=_SENTIMENT),
        citation="Wiebe, Wilson & Cardie 2005, Annotating Expressions of Opinions and Emotions in Language",
    ),
    "ag_news": NamedSet(
        {"train": "ag_news/train_sample.csv.gz", "test": "ag_news/test.csv.gz"},
        _ag_news,
        layout=Layout("text", label="label", names=_numbered("World", "Sports", "Business", "Sci/Tech")),
        licence="non-commercial use",
        citation="Zhang, Zhao & LeCun 2015, Character-level Convolutional Networks for Text Classification",
    ),
    "20newsgroups": NamedSet(
        {"train": "20newsgroups/train.jsonl.xz", "test": "20newsgroups/test.jsonl.xz"},
        open_table,
        layout=Layout("text", label="group"),
        citation="Lang 1995, NewsWeeder",
    ),
    "banking77": NamedSet(
        {"train": "banking77/train.csv.gz", "test": "banking77/test.csv.gz"},
        open_table,
        layout=Layout("text", label="category"),
        licence="CC-BY-4.0",
        citation="Casanueva et al. 2020, Efficient Intent Detection with Dual Sentence Encoders",
    ),
    "clinc150": NamedSet(
        dict.fromkeys(("train", "dev", "test"), "clinc150/data_full.json.gz"),
        {"train": _clinc("train"), "dev": _clinc("val"), "test": _clinc("test")},
        licence="CC-BY-3.0",
        citation="Larson et al. 2019, An Evaluation Dataset for Intent Classification "
        "and Out-of-Scope Prediction",
    ),
    "goemotions": NamedSet(
        {split: f"goemotions/{split}.tsv.gz" for split in ("train", "dev", "test")},
        _columns("text", "label", "id"),
        names_file="goemotions/labels.txt",
        licence="Apache-2.0",
        citation="Demszky et al. 2020, GoEmotions",
    ),
    "mrpc": NamedSet(
        {
            "train": "glue/MRPC/train.tsv.gz",
            "dev": "glue/MRPC/dev.tsv",
            "test": "glue/MRPC/msr_paraphrase_test.txt.gz",
        },
        _glue,
        layout=Layout("#1 String", "#2 String", "Quality", names=_numbered("not_equivalent", "equivalent")),
        citation="Dolan & Brockett 2005, Automatically Constructing a Corpus of Sentential Paraphrases; "
        f"{_GLUE}",
    ),
    "rte": NamedSet(
        {"train": "glue/RTE/train.tsv.gz", "dev": "glue/RTE/dev.tsv"},
        _glue,
        layout=Layout("sentence1", "sentence2", "label", names=_ENTAILMENT),
        citation=f"Dagan et al. 2006, The PASCAL Recognising Textual Entailment Challenge; {_GLUE}",
    ),
    "cola": NamedSet(
        {"train": "glue/CoLA/train.tsv.gz", "dev": "glue/CoLA/dev.tsv"},
        _columns("source", "label", "mark", "text"),
        layout=Layout("text", label="label", names=_numbered("unacceptable", "acceptable")),
        citation=f"Warstadt, Singh & Bowman 2019, Neural Network Acceptability Judgments; {_GLUE}",
    ),
    "sick": NamedSet(
        {
            "train": "sick/SICK_train.txt",
            "dev": "sick/SICK_trial.txt",
            "test": "sick/SICK_test_annotated.txt",
        },
        _glue,
        layout=Layout(
            "sentence_A",
            "sentence_B",
            "entailment_judgment",
            names={name: name.lower() for name in ("ENTAILMENT", "NEUTRAL", "CONTRADICTION")},
        ),
        licence="CC-BY-NC-SA-3.0",
        citation="Marelli et al. 2014, A SICK Cure for the Evaluation of Compositional Distributional "
        "Semantic Models",
    ),
}
_ALIASES = {"glue/mrpc": "mrpc", "glue/rte": "rte", "glue/cola": "cola", "glue/sst2": "glue/SST-2"}


def data_root() -> Path | None:
    """The folder `GRADATIM_DATA`, if it is set."""
    named = os.environ.get("GRADATIM_DATA")
    return Path(named).expanduser() if named else None


def named_key(name: str) -> str | None:
    """The key in `NAMED` of a name in any case, or an alias of it; None if there is none."""
    plain = name.casefold()
    plain = _ALIASES.get(plain, plain)
    return next((key for key in NAMED if key.casefold() == plain.casefold()), None)

"""What is called how, and bad input: every fault is named, and what can be read is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradatim
from gradatim import progress
from gradatim.errors import ConfigError, DataError
from gradatim.pipelines.answers import QuestionAnswering
from gradatim.pipelines.blanks import FillMask
from gradatim.pipelines.choices import MultipleChoice
from gradatim.pipelines.entities import TokenClassification
from gradatim.pipelines.features import FeatureExtraction, SentenceSimilarity
from gradatim.pipelines.labels import TextClassification
from gradatim.pipelines.reader import Reader
from gradatim.pipelines.zero_shot import HALFWAY, SHARPNESS, ZeroShotClassification
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import PRESETS, train_tokenizer
from gradatim.types import Arrays

TOKENIZER = str(
    train_tokenizer(["the cat sat on a mat!", "who is it?"] * 3, PRESETS["bert"], size=90).to_str()
)
ODD = ["", "   ", "\n\t", "\x00\x07\x1b", "\u200b\ufeff", "🙂" * 300, "a" * 5000, "mat " * 500]


class Counting:
    """A session whose logits are sums of a table's rows; it counts its calls."""

    def __init__(self, outputs: int, per_row: bool) -> None:
        self.table = np.random.default_rng(0).normal(size=(200, outputs)).astype(np.float32)
        self.per_row, self.calls = per_row, 0

    def run(self, arrays: Arrays) -> Arrays:
        self.calls += 1
        values = self.table[arrays["ids"]]
        if "asked" in arrays:
            return {"logits": values[arrays["asked"]]}
        if self.per_row:
            starts = np.cumsum(arrays["lengths"]) - arrays["lengths"]
            return {"logits": np.add.reduceat(values, starts)}
        return {"logits": values, "states": values}


def reader(outputs: int = 3, *, per_row: bool = False, labels: tuple[str, ...] = ("a", "b", "c")) -> Reader:
    return Reader(
        kind="any", session=Counting(outputs, per_row), encoder=PieceEncoder(TOKENIZER, max_length=24, stride=6),
        labels=labels[:outputs], tokenizer=TOKENIZER, mask="[MASK]",
    )  # fmt: skip


TASKS: dict[str, Any] = {
    "labels": (TextClassification(reader(per_row=True)), lambda text: text),
    "entities": (TokenClassification(reader(labels=("O", "B-x", "I-x"))), lambda text: text),
    "masks": (FillMask(reader(90)), lambda text: f"{text} [MASK] {text}"),
    "features": (FeatureExtraction(reader()), lambda text: text),
    "zero-shot": (
        ZeroShotClassification(reader(per_row=True), candidate_labels=["x", "y"]),
        lambda text: text,
    ),
    "zero-shot by likeness": (
        ZeroShotClassification(replace(reader(), kind="body"), candidate_labels="cat, a mat"),
        lambda text: text,
    ),
    "questions": (
        QuestionAnswering(reader(2)),
        lambda text: {"question": f"who? {text}", "context": f"the cat {text}"},
    ),
    "sentences": (
        SentenceSimilarity(reader()),
        lambda text: {"source_sentence": text, "sentences": [text, "cat"]},
    ),
    "choices": (
        MultipleChoice(reader(1, per_row=True)),
        lambda text: {"prompt": text, "choices": [text, "cat"]},
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_odd_texts_are_read_whole_alone_and_together(name: str, same: Callable[[Any, Any], None]) -> None:
    task, asked = TASKS[name]
    inputs = [asked(text) for text in ODD]
    together = task(inputs)
    assert len(together) == len(ODD)
    same(list(task(iter(inputs), batch_size=3)), together)
    for one, found in zip(inputs, together, strict=True):
        alone = task(one)
        if name == "labels" and isinstance(one, str):
            [alone] = alone
        same(alone, found)
    assert task([]) == []
    assert task.cut_tokens == 0


def test_a_list_that_takes_long_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[float] = []

    @contextmanager
    def bar(_what: str) -> Iterator[Callable[[float], None]]:
        yield moved.append

    monkeypatch.setattr(progress, "bar", bar)
    task, texts = TASKS["labels"][0], ["cat"] * 10
    known = task(texts, batch_size=4)
    assert not moved
    monkeypatch.setattr(progress, "PATIENCE_S", -1)
    assert task(texts, batch_size=4) == known
    assert moved == sorted(moved)
    assert moved[-1] == 1


def test_tags_that_say_where_entities_end_are_joined() -> None:
    words = ["who", "is", "the", "cat", "mat", "it"]
    tags = ("O", "B-X", "I-X", "E-X", "S-X", "S-Y")
    made = reader(len(tags), labels=tags)
    table = made.session.table  # type: ignore[attr-defined]
    table[:] = 0
    for word, tag in zip(words, tags, strict=True):
        table[made.pieces.tokenizer.token_to_id(word), tags.index(tag)] = 30
    tag = TokenClassification(made, aggregation_strategy="simple")
    text = "who is the cat mat mat it"
    assert [(one["entity_group"], one["word"]) for one in tag(text)] == [
        ("X", "is the cat"), ("X", "mat"), ("X", "mat"), ("Y", "it"),
    ]  # fmt: skip
    assert [one["entity"] for one in tag("is cat", aggregation_strategy="none")] == ["B-X", "E-X"]


def test_what_cannot_be_read_is_counted_from_the_first_input_of_a_call() -> None:
    task = TextClassification(reader(per_row=True))
    for inputs in (["mat"] * 70 + [None], (None if i == 70 else "mat" for i in range(90))):
        with pytest.raises(DataError, match="input 70 "):
            list(task(inputs))
    with pytest.raises(DataError, match="input 2 "):
        task([{"text": "mat", "text_pair": "cat"}, "mat", {"txt": "mat"}], batch_size=2)


@pytest.mark.parametrize("name", TASKS)
def test_what_is_no_text_and_what_is_no_option_is_named(name: str) -> None:
    task, _ = TASKS[name]
    for wrong in (None, 3, [3], [None], {"wrong": 1}, [["a", "b"]]):
        with pytest.raises(DataError):
            task(wrong)
    with pytest.raises(ConfigError, match="unknown option 'top_g'"):
        task("a", top_g=3)
    with pytest.raises(ConfigError, match="batch_size"):
        task(["a"], batch_size=0)
    with pytest.raises(ConfigError, match="return_tensors"):
        task("a", return_tensors=True)


def test_a_model_without_entailment_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    ZeroShotClassification(reader(per_row=True, labels=("contradiction", "neutral", "entailment")))
    assert not caplog.records
    ZeroShotClassification(reader(per_row=True))
    assert "'c'" in caplog.text


@pytest.mark.parametrize(
    ("name", "inputs", "options"),
    [
        ("labels", "cat", {"top_k": "3"}),
        ("labels", "cat", {"top_k": 1.5}),
        ("labels", {"text": "cat", "pair": "mat"}, {}),
        ("labels", b"cat", {}),
        ("labels", "cat", {"tokenizer_kwargs": "truncation"}),
        ("labels", ["cat"], {"batch_size": True}),
        ("entities", "cat", {"ignore_labels": 3}),
        ("entities", ["cat"], {"is_split_into_words": True, "delimiter": 3}),
        ("entities", None, {"is_split_into_words": True}),
        ("entities", "cat", {"stride": "some"}),
        ("entities", "cat", {"is_split_into_words": "no"}),
        ("masks", "[MASK]", {"targets": 3}),
        ("zero-shot", "cat", {"candidate_labels": 3}),
        ("zero-shot", "cat", {"candidate_labels": [3]}),
        ("zero-shot", "cat", {"candidate_labels": [" "]}),
        ("zero-shot", "cat", {"hypothesis_template": 3}),
        ("zero-shot", "cat", {"hypothesis_template": ""}),
        ("zero-shot", "cat", {"multi_label": "False"}),
        ("sentences", {"source_sentence": "cat", "sentences": None}, {}),
        ("sentences", {"source_sentence": "cat", "sentences": []}, {}),
        ("choices", {"prompt": "cat", "choices": 3}, {}),
        ("choices", {"prompt": "cat", "choices": "mat"}, {}),
    ],
)
def test_values_that_mean_nothing_are_refused_rather_than_passed_over(
    name: str, inputs: Any, options: dict[str, Any]
) -> None:
    with pytest.raises((ConfigError, DataError)):
        TASKS[name][0](inputs, **options)


def test_options_may_come_from_generators_and_hold_for_every_batch() -> None:
    sort, texts = TASKS["zero-shot"][0], ["cat", "mat", "the cat"]
    found = sort(texts, candidate_labels=(label for label in ("x", "y")), batch_size=1)
    assert found == sort(texts, ["x", "y"])
    like = TASKS["sentences"][0]
    assert like("cat", (text for text in ("cat", "mat"))) == like("cat", ["cat", "mat"])


def test_words_come_in_lists_tuples_and_generators() -> None:
    tag = TokenClassification(reader(labels=("O", "B-x", "I-x")), ignore_labels=[], is_split_into_words=True)
    rows = [["the", "cat"], ["mat"], ["who", "is", "it"]]
    found = tag(rows)
    assert [len(one) for one in found] == [2, 1, 3]
    assert list(tag(row for row in rows)) == found == tag([tuple(row) for row in rows])
    assert tag(("the", "cat")) == found[:1]


def test_one_label_to_ignore_is_one_label() -> None:
    tag = TokenClassification(reader(labels=("O", "B-x", "I-x")))
    known = tag("the cat sat on a mat", ignore_labels=["B-x"])
    assert tag("the cat sat on a mat", ignore_labels="B-x") == known
    assert {one["entity"] for one in known} == {"O", "I-x"}


def test_a_generator_is_read_no_further_than_asked() -> None:
    read = []

    def texts() -> Iterator[str]:
        for number in range(1000):
            read.append(number)
            yield "cat"

    found = TASKS["labels"][0](texts(), batch_size=4)
    next(found)
    assert len(read) == 4


def test_questions_come_in_every_form() -> None:
    ask = QuestionAnswering(reader(2))
    asked = {"question": "who?", "context": "the cat sat on a mat"}
    one = ask(asked)
    assert one == ask(**asked) == ask([asked]) == ask(question=["who?"], context=[asked["context"]])
    assert [one, one] == ask([asked, asked]) == ask(question=["who?"] * 2, context=asked["context"])
    assert set(one) == {"score", "start", "end", "answer"}
    assert len(ask(**asked, top_k=3)) == 3
    long = ask(question="who? " * 40, context="the cat sat on a mat " * 40)  # longer than any window
    assert long["answer"]
    with pytest.raises(ConfigError, match="2 questions need as many contexts"):
        ask(question=["a", "b"], context=["a", "b", "c"])
    for wrong in ({"question": " ", "context": "a"}, {"question": "a", "context": ""}, {"question": "a"}):
        with pytest.raises(DataError):
            ask(wrong)
    with pytest.raises(DataError, match="context must be a string"):
        ask(question="who?", context=5)
    for wrong in (
        {"top_k": 0},
        {"max_answer_len": 0},
        {"doc_stride": 23},
        {"max_seq_len": 0},
        {"max_seq_len": 3},
    ):
        with pytest.raises(ConfigError):
            ask(asked, **wrong)


def test_a_question_and_its_context_may_stand_side_by_side() -> None:
    ask = QuestionAnswering(reader(2))
    asked = {"question": "who?", "context": "the cat sat on a mat"}
    assert ask("who?", asked["context"]) == ask(asked) == ask(asked, top_k=None, align_to_words=None)
    assert ask(["who?", "it?"], asked["context"])[0] == ask(asked)


def test_a_question_is_shortened_where_that_is_asked_for() -> None:
    ask = QuestionAnswering(reader(2))
    context = "the cat sat on a mat"
    short = ask(question="who is it", context=context)
    found = ask(question="who is it cat mat", context=context, max_question_len=3)
    assert found == {**short, "cut_tokens": 2}
    assert ask.cut_tokens == 2
    assert ask(question="who", context=context, max_question_len=3)["cut_tokens"] == 0
    longer = ask(question="who is it cat", context=context * 9, max_question_len=3, truncation=True)
    assert longer["cut_tokens"] > 1 + 20
    with pytest.raises(ConfigError, match="max_question_len"):
        ask(question="who", context=context, max_question_len=0)


def test_windows_share_at_most_half_of_what_they_hold() -> None:
    ask, long = QuestionAnswering(reader(2)), {"question": "who?", "context": "the cat sat on a mat " * 20}
    assert ask(long, doc_stride=15) == ask(long, doc_stride=9)
    assert TextClassification(reader(per_row=True))("mat " * 9, max_length=6)[0]["label"]
    with pytest.raises(ConfigError, match="cannot share 22"):
        ask(long, doc_stride=22)


def test_no_answer_is_one_where_it_may_be() -> None:
    made = reader(2)
    made.session.table[PieceEncoder(TOKENIZER, max_length=8).tokenizer.token_to_id("[CLS]")] = 30  # type: ignore[attr-defined]
    ask = QuestionAnswering(made)
    asked = {"question": "who?", "context": "the cat sat on a mat " * 9}
    assert ask(asked)["answer"]
    best, *others = ask(asked, handle_impossible_answer=True, top_k=3)
    assert best["answer"] == ""
    assert best["score"] == pytest.approx(1, abs=1e-6)
    assert all(one["score"] < 1e-6 for one in others)


def test_a_target_that_is_no_token_is_said(caplog: pytest.LogCaptureFixture) -> None:
    fill = TASKS["masks"][0]
    assert [one["token_str"] for one in fill("[MASK]", targets=["cat"])] == ["cat"]
    assert not caplog.records
    fill("[MASK]", targets=["cat", "hippopotamus"])
    assert "hippopotamus" in caplog.text


def test_masks_labels_and_strategies_must_be_there() -> None:
    fill = TASKS["masks"][0]
    with pytest.raises(DataError, match=r"input 1 .* has no \[MASK\]"):
        fill(["[MASK]", "cat"])
    assert [len(found) for found in fill(["[MASK] cat [MASK]", "[MASK]"])] == [2, 5]
    with pytest.raises(ConfigError, match="targets"):
        fill("[MASK]", targets=[""])
    with pytest.raises(ConfigError, match="mask token"):
        FillMask(
            Reader(kind="any", session=Counting(3, False), encoder=PieceEncoder(TOKENIZER, max_length=8))
        )
    judge = ZeroShotClassification(reader(per_row=True))
    for wrong in ({}, {"candidate_labels": []}, {"candidate_labels": " , "}):
        with pytest.raises(DataError, match="candidate_labels"):
            judge("cat", **wrong)
    with pytest.raises(ConfigError, match=r"no \{\}"):
        judge("cat", ["a"], hypothesis_template="about")
    with pytest.raises(ConfigError, match="did you mean 'average'"):
        TASKS["entities"][0]("cat", aggregation_strategy="averag")
    with pytest.raises(ConfigError, match="top_k"):
        TASKS["labels"][0]("cat", top_k=0)
    with pytest.raises(ConfigError, match="truncation"):
        TASKS["labels"][0]("cat", truncation="some")


@pytest.mark.parametrize("name", ["labels", "entities", "zero-shot", "zero-shot by likeness", "choices"])
def test_truncation_tells_what_it_left_out(name: str) -> None:
    task, asked = TASKS[name]
    task = type(task)(task.reader, **task.options, truncation=True, max_length=16)
    found = task([asked("mat " * 50), asked("cat")])
    cut = [part[0] if isinstance(part, list) else part for part in found]
    assert cut[0]["cut_tokens"] > 20
    assert task.cut_tokens >= cut[0]["cut_tokens"]
    if name != "entities":
        assert cut[1]["cut_tokens"] == 0


def test_an_encoder_sorts_by_likeness_to_the_labels() -> None:
    encoder, labels = replace(reader(), kind="body"), ["a mat", "cat", "Rome"]
    sort, like = ZeroShotClassification(encoder), SentenceSimilarity(encoder)
    texts = ["the cat sat", "on a mat " * 20]
    for text, found in zip(texts, sort(texts, labels, hypothesis_template="so {} !"), strict=True):
        cosines = np.array(like(text, [f"so {label} !" for label in labels]))
        scores = np.exp(SHARPNESS * cosines) / np.exp(SHARPNESS * cosines).sum()
        assert found["sequence"] == text
        assert found["labels"] == [labels[i] for i in np.argsort(-cosines)]
        np.testing.assert_allclose(found["scores"], np.sort(scores)[::-1], atol=1e-5)
    calls = encoder.session.calls
    each = sort("the cat sat", labels, multi_label=True)
    cosines = like("the cat sat", each["labels"])
    wanted = 1 / (1 + np.exp(-SHARPNESS * (np.array(cosines) - HALFWAY)))
    np.testing.assert_allclose(each["scores"], wanted, atol=1e-5)
    assert encoder.session.calls == calls + 3, "labels are read once, texts once"
    assert sort("a cat", labels)["labels"][0] == sort(["a cat"], labels)[0]["labels"][0]
    assert encoder.session.calls == calls + 5, "labels known from the last call are not read again"
    assert sort("cat", "cat")["scores"][0] > 0.99
    assert sort(sequences="a cat", candidate_labels=labels) == sort("a cat", labels)
    with pytest.raises(ConfigError, match=r"no \{\}"):
        sort("cat", labels, hypothesis_template="so")


def test_tasks_models_and_hosts_are_checked(tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = gradatim.pipeline("sentiment-analysis", tiny_artifact)
    [one] = judge("good film")
    assert one["label"] == gradatim.load(tiny_artifact)("good film").label
    assert gradatim.pipeline(model=tiny_artifact, device="cpu", tokenizer=tiny_artifact)("good film") == [one]
    with pytest.raises(DataError, match="single texts"):
        judge({"text": "good", "text_pair": "film"})
    with pytest.raises(ConfigError, match="a model that reads pairs"):
        gradatim.pipeline("zero-shot-classification", tiny_artifact)
    with pytest.raises(
        ConfigError, match=r"which can do: text-classification, zero-shot-classification\. For 'ner'"
    ):
        gradatim.pipeline("ner", tiny_artifact)
    with pytest.raises(ConfigError, match="did you mean 'fill-mask'"):
        gradatim.pipeline("fil-mask", tiny_artifact)
    for host in ({"device": 0}, {"framework": "tf"}, {"trust_remote_code": True}, {"tokenizer": "other"}):
        with pytest.raises(ConfigError):
            gradatim.pipeline("sentiment-analysis", tiny_artifact, **host)
    with pytest.raises(ConfigError, match="`gradatim fit"):
        gradatim.pipeline("sentiment-analysis")
    monkeypatch.setenv("GRADATIM_CACHE", str(tiny_artifact.parent / "nothing"))
    with pytest.raises(ConfigError, match="a task, a model, or both"):
        gradatim.pipeline()
    with pytest.raises(ConfigError, match="its path, its name or its id"):
        gradatim.pipeline("ner", 3)  # type: ignore[arg-type]

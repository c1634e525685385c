"""Tasks that write: settings of a model, a task and a call; long sources, truncation, draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradatim.engine.lead import LeadStepper
from gradatim.errors import ConfigError, DataError
from gradatim.pipelines.causal import CausalLanguage
from gradatim.pipelines.generation import TextGeneration
from gradatim.pipelines.language import LanguagePipeline
from gradatim.pipelines.searches import merged, to_search
from gradatim.pipelines.text_to_text import TextToText
from gradatim.pipelines.writing import Summarization, Text2TextGeneration, Translation
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import PRESETS, train_tokenizer
from gradatim.types import Array

WORDS = train_tokenizer(["the cat sat on a mat . who is it ?"] * 3, PRESETS["word"], size=40)
END = WORDS.token_to_id("</s>")


def copies(max_length: int = 8, **more: Any) -> TextToText:
    """A model that writes what it reads, eight tokens at a time."""
    pieces = PieceEncoder(WORDS.to_str(), max_length=max_length)
    return TextToText(LeadStepper(40, end=END), pieces, WORDS.to_str(), end=END, beams=1, **more)


def test_long_sources_are_written_whole_and_cut_only_on_request() -> None:
    short, long = "the cat sat .", "the cat sat on a mat . who is it ? a cat is on it ."
    write = Text2TextGeneration(copies())
    assert write(short) == [{"generated_text": short}]
    assert write([short, long]) == [{"generated_text": short}, {"generated_text": long}]
    assert list(write(iter([short]))) == [[{"generated_text": short}]]
    assert write.cut_tokens == 0
    first, second = write([short, long], truncation=True)
    assert first == {"generated_text": short, "cut_tokens": 0}
    assert second == {"generated_text": "the cat sat on a mat . who", "cut_tokens": 9}
    assert write.cut_tokens == 9
    for empty in ("", "  \n"):
        assert write(empty) == [{"generated_text": ""}]
    with pytest.raises(DataError):
        write(None)


def test_answers_are_named_by_the_task() -> None:
    assert Translation(copies())("a cat") == [{"translation_text": "a cat"}]
    assert Summarization(copies())(["a cat"]) == [{"summary_text": "a cat"}]
    loose = Summarization(copies(), clean_up_tokenization_spaces=True)
    assert loose("who is it ?") == [{"summary_text": "who is it?"}]


def test_draws_come_in_the_number_asked_for() -> None:
    found = Text2TextGeneration(copies())(["a cat", "it"], do_sample=True, num_return_sequences=3, seed=1)
    assert [len(several) for several in found] == [3, 3]
    with pytest.raises(ConfigError, match="3 texts of 1 num_beams"):
        Text2TextGeneration(copies())("a cat", num_return_sequences=3)
    with pytest.raises(ConfigError, match="did you mean 'num_beams'"):
        Text2TextGeneration(copies())("a cat", num_beam=3)


def test_a_call_wins_over_the_task_and_the_task_over_the_model() -> None:
    own = {"prefix": "the ", "max_length": 4, "no_such": 1}
    write = Text2TextGeneration(copies(), own)
    assert write("cat sat on a mat") == [{"generated_text": "the cat sat"}]
    assert write("cat sat on a mat", max_new_tokens=2) == [{"generated_text": "the cat"}]
    assert write("cat sat on a mat", max_length=3) == [{"generated_text": "the cat"}]
    assert merged({"max_new_tokens": 256}, {"max_length": 9}) == {"max_length": 9}
    assert "num_beams" not in merged({"num_beams": 4}, {"do_sample": True})


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_beams": 0}, {"num_beams": 1.5}, {"num_return_sequences": 0}, {"max_new_tokens": "5"},
        {"max_new_tokens": 0}, {"temperature": "hot", "do_sample": True}, {"top_k": 1.5}, {"seed": -1}, {"seed": 1.5},
        {"length_penalty": "a"}, {"bad_words_ids": "the"}, {"temperature": float("nan"), "do_sample": True},
        {"temperature": 0, "do_sample": True}, {"top_p": 2}, {"repetition_penalty": -1.0},
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_by_the_name_it_was_given_by(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong)).partition("_penalty")[0]):
        Text2TextGeneration(copies())("a cat", **wrong)


def test_a_temperature_of_zero_is_the_likeliest_text() -> None:
    assert Text2TextGeneration(copies())("a cat", temperature=0.0) == [{"generated_text": "a cat"}]


def test_more_text_than_there_may_be_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert Summarization(copies())("a cat", min_length=9, max_length=4)[0]["summary_text"].startswith("a cat")
    assert "at least 8 new tokens" in caplog.text
    with pytest.raises(ConfigError, match="do_sample is True or False"):
        Summarization(copies())("a cat", do_sample="no")


def test_what_a_folder_asks_for_and_is_not_done_is_said(caplog: pytest.LogCaptureFixture) -> None:
    plain = {"pad_token_id": 3, "renormalize_logits": True, "diversity_penalty": 0.0, "min_length": 1}
    assert Summarization(copies(), plain).defaults["min_length"] == 1
    assert caplog.text == ""
    Summarization(copies(), {**plain, "forced_bos_token_id": 7, "remove_invalid_values": True})
    assert "forced_bos_token_id 7, remove_invalid_values True" in caplog.text


class Echo(LeadStepper):
    """A language model of so many tokens that goes on with what it read."""

    longest = 6

    def log_probs(self, ids: Array, targets: Array, sizes: Array) -> Array:
        return np.zeros(len(ids))


def test_what_a_language_model_did_not_read_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    model = LanguagePipeline(CausalLanguage(Echo(40, end=END), WORDS.to_str(), end=END), opened=False)
    go_on = TextGeneration(model, max_new_tokens=2)
    assert "cut_tokens" not in go_on("the cat sat")[0]
    assert (go_on.cut_tokens, caplog.text) == (0, "")
    go_on("the cat sat on a mat . who is it ?")
    assert go_on.cut_tokens == 5
    assert "5 tokens" in caplog.text
    short, long = go_on(["a cat", "the cat sat on a mat . who is it ?"], truncation=True)
    assert [short[0]["cut_tokens"], long[0]["cut_tokens"]] == [0, 5]
    with pytest.raises(DataError, match="messages of a chat"):
        go_on([{"role": "user", "content": "who is it ?"}])


def test_half_a_surrogate_pair_is_read_over() -> None:
    assert len(Text2TextGeneration(copies())("a \ud800 cat")) == 1


def test_settings_become_a_search() -> None:
    search = to_search({"max_length": 9, "min_length": 6, "early_stopping": True}, end=1, read=4)
    assert (search.max_length, search.min_length, search.stop) == (5, 3, "first")
    assert to_search({"max_new_tokens": 5, "min_new_tokens": 9}, end=1, read=1).min_length == 6
    for wrong in (
        {"max_length": 3},
        {"max_new_tokens": 3, "early_stopping": "soon"},
        {"max_new_tokens": 3, "eos_token_id": [1, 2]},
        {"max_new_tokens": 3, "bad_words_ids": [[1, 2]]},
    ):
        with pytest.raises(ConfigError):
            to_search(wrong, end=1, read=3)

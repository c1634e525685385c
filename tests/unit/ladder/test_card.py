"""The model card."""

from dataclasses import replace

from climb_stories import ladder_rows, make_story, make_task

from gradatim.ladder.card import model_card
from gradatim.types import Budget


def test_card_names_data_quality_cost_and_limits():
    card = model_card(make_story())
    for words in (
        "# student-2l-int8",
        "85.1 %",
        "82.9–87.3",
        "Zen 5, 2 cores",
        "0.88 ms p95",
        "16 MB",
        "licence: not stated",
        "ab" * 32,
        "| test |",
        "12 duplicates kept on one side",
        "gradatim fit sst2",
    ):
        assert words in card, words


def test_card_without_test_split_says_so():
    card = model_card(make_story(with_test=False))
    assert "| test |" not in card
    assert "no test figure" in card


def test_card_of_a_model_over_budget_says_so():
    card = model_card(make_story(budget=Budget(max_ms=0.001)))
    assert "does not fit the budget" in card


def test_card_of_many_labels_lists_some_and_counts_the_rest():
    card = model_card(make_story(make_task(77), rows=ladder_rows()[:1], budget=Budget()))
    assert "`label-29`" in card
    assert "`label-30`" not in card
    assert "47 more" in card


def test_hostile_names_stay_on_their_line():
    story = make_story()
    corpus = replace(story.corpus, name="a\n# Heading <script>", notes=("x | y\n- z",))
    card = model_card(replace(story, corpus=corpus))
    assert "\n# Heading" not in card
    assert "<script>" not in card


def test_training_counts_all_that_a_model_was_made_from():
    story = make_story()
    made = {row.name: story.made_s(row.candidate) for row in story.rows}
    assert made["fine-tuned"] == 262.0
    assert made["student-3l-int8"] == 3.0 + 121.0 + 262.0
    assert made["student-2l-int8"] == 3.0  # what it was made from was not measured
    assert "- training: 3.0 s, of which this step 3.0 s" in model_card(story)


def test_f1_of_two_labels_names_the_one_it_is_of():
    story = make_story()
    seen = replace(story.choice.subject.measurement, extra={"f1": 0.8, "accuracy": 0.9})
    row = replace(story.choice.subject, measurement=seen)
    card = model_card(replace(story, choice=replace(story.choice, chosen=row)))
    assert "f1 of `positive` on dev: 0.8000" in card
    assert "accuracy on dev: 0.9000" in card

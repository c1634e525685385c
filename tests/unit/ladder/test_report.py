"""The report: every kind of story becomes one file that is whole, safe and says what it should."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from climb_stories import ladder_rows, make_row, make_story, make_task

from gradatim.ladder.card import model_card
from gradatim.ladder.goals.labels import LabelGoal
from gradatim.ladder.report.analysis import by_length, confusion_matrix, most_confused, reliability
from gradatim.ladder.report.answer import answer, held_out
from gradatim.ladder.report.page import render, write_front_png, write_report
from gradatim.types import Budget, Examples

VOID = {"meta", "hr", "br", "use"}
LOADS = {"src", "srcset", "poster", "action", "background"}
STORIES = {
    "typical": lambda: make_story(),
    "no test split": lambda: make_story(with_test=False),
    "only majority": lambda: make_story(rows=ladder_rows()[:1], budget=Budget()),
    "77 labels": lambda: make_story(make_task(77)),
    "multi-label": lambda: make_story(make_task(28, multi_label=True), metric="macro_f1"),
    "pairs": lambda: make_story(make_task(3, pairs=True), metric="matthews"),
    "nothing fits": lambda: make_story(budget=Budget(max_ms=0.001, max_mb=0.001)),
    "nothing fits at all": lambda: make_story(budget=Budget(max_ms=0, max_ram_mb=1)),
    "worthless models": lambda: make_story(rows=[make_row("a", 0.0, 0.0, 0.0), make_row("b", 0.0, 1, 1)]),
}


class Checker(HTMLParser):
    """Collects elements, and what is left open or closed twice."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.loads, self.ids, self.tags = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in LOADS or (name.endswith("href") and not value.startswith("#")):
                self.loads.append((tag, name, value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def rendered(story):
    return render(story, LabelGoal())


def checked(page):
    checker = Checker()
    checker.feed(page)
    checker.close()
    return checker


@pytest.mark.parametrize("name", STORIES)
def test_every_story_is_one_whole_page_that_loads_nothing(name):
    page = rendered(STORIES[name]())
    found = checked(page)
    assert found.open == []
    assert found.faults == []
    assert found.loads == []
    assert len(found.ids) == len(set(found.ids))
    assert not {"script", "link", "iframe", "object", "img"} & set(found.tags)
    assert "url(http" not in page
    assert "@import" not in page
    assert page.count("<h1>") == 1
    assert found.tags.count("h2") >= 3
    assert "nan" not in re.findall(r"\b\w+\b", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))


@pytest.mark.parametrize("name", ["typical", "multi-label"])
def test_pictures_speak_and_take_the_colours_of_the_page(name):
    page = rendered(STORIES[name]())
    pictures = re.findall(r"<svg [^>]*>", page)
    assert len(pictures) == 4
    assert all(re.search(r'role="img" aria-label="[^"]{40,}"', picture) for picture in pictures)
    assert "var(--accent)" in page
    assert "#0a0b" not in page
    targets = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= targets


def test_the_answer_is_the_first_thing_said():
    page = rendered(make_story())
    headline = unescape(re.sub(r"<[^>]+>", "", re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]))
    headline = headline.replace("\u00a0", " ")
    assert headline.startswith(
        "Use student-2l-int8: 85.1 % accuracy (95 % interval 82.9–87.3), 0.88 ms per text"
    )
    assert "96.8 % of the best model's quality (fine-tuned) at 1/5 of its latency" in headline


def test_the_best_model_is_not_compared_with_itself():
    assert answer(make_story(budget=Budget(), rows=ladder_rows()[-5:-4])).count("`") == 2


def test_when_nothing_fits_the_nearest_and_what_to_relax_are_said():
    said = answer(make_story(budget=Budget(max_ms=0.002)))
    assert said.startswith("No candidate fits the budget (--max-ms 0.002)")
    assert "relax --max-ms 0.002 to 0.004" in said


def test_an_untouched_test_split_is_not_denied():
    assert "No test split" in held_out(make_story(with_test=False))
    assert "not touched" in held_out(make_story(budget=Budget(max_ms=0.002)))


def test_losses_are_shown_with_their_reasons():
    page = rendered(make_story())
    assert "estimated 14 min, 3 min of --max-train-min left" in page
    assert "no faster than its source" in page
    for row in ladder_rows():
        assert f'<th scope="row">{row.name}' in page


def test_texts_names_and_labels_are_escaped_and_long_ones_folded():
    story = make_story()
    evil = '<script>alert(1)</script>"\x00\ud800 ' + "long " * 5_000
    dev = story.corpus.dev
    texts = [evil] * len(dev)
    task = replace(story.corpus.task, labels=("<b>bad</b>", "good & fine"))
    corpus = replace(story.corpus, name="<i>", task=task, dev=Examples(texts, None, dev.targets))
    page = rendered(replace(story, corpus=corpus, manifest={"<u>": "<u>"}))
    found = checked(page)
    assert not {"script", "b", "u", "i"} & set(found.tags)
    assert found.tags.count("details") == page.count("<details>") > 0
    assert "\x00" not in page
    assert "more characters)" in page
    assert len(page) < 500_000


def test_file_is_utf8_and_replaces_the_old_one_only_when_whole(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    story = make_story()
    dev = story.corpus.dev
    broken = Examples(["\ud800 lone surrogate"] * len(dev), None, dev.targets)
    write_report(path, replace(story, corpus=replace(story.corpus, dev=broken)), LabelGoal())
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _handle: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        write_report(path, story, LabelGoal())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_story_gives_the_same_page():
    assert rendered(make_story()) == rendered(make_story())


def test_front_png_is_a_picture(tmp_path):
    write_front_png(tmp_path / "front.png", make_story())
    data = (tmp_path / "front.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(data[16:20]) == 1720


def test_confusions_are_counted_and_ranked():
    task = make_task(3)
    targets = np.array([0, 0, 0, 1, 1, 2])
    answers = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 2, 2]]
    matrix = confusion_matrix(task, targets, answers)
    assert matrix.tolist() == [[1, 2, 0], [0, 1, 1], [0, 0, 1]]
    first, second = most_confused(task, matrix)
    assert (first.gold, first.predicted, first.count) == ("label-00", "label-01", 2)
    assert first.share == pytest.approx(2 / 3)
    assert second.share == pytest.approx(1 / 2)


def test_reliability_of_an_honest_model_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 20_000)
    answers = np.stack([1 - sure, sure], axis=1).astype(np.float32)
    targets = (rng.random(20_000) < sure).astype(np.int64)
    bins = reliability(make_task(2), targets, answers)
    assert sum(group.count for group in bins) == 20_000
    assert all(abs(group.confidence - group.accuracy) < 0.03 for group in bins)


def test_length_slices_hold_every_text_once_in_order():
    story = make_story()
    slices = by_length(story, LabelGoal())
    assert sum(part.count for part in slices) == len(story.corpus.dev)
    assert 3 <= len(slices) <= 5
    assert all(a.longest < b.shortest for a, b in pairwise(slices))


def test_lengths_that_are_given_are_used():
    story = make_story()
    same = replace(story, evidence=replace(story.evidence, lengths=np.full(240, 7), length_unit="tokens"))
    (only,) = by_length(same, LabelGoal())
    assert (only.shortest, only.longest, only.count) == (7, 7, 240)
    assert "7 tokens" in rendered(same)


def test_pairs_keep_their_second_text():
    story = make_story(make_task(3, pairs=True), metric="matthews")
    first = story.evidence.suspects[0].row
    cell = f'<td class="text" dir="auto">{story.corpus.train.texts[first]}<hr>{story.corpus.train.pairs[first]}</td>'
    folded = re.sub(r"<details><summary>.*?</summary><div>(.*?)</div></details>", r"\1", rendered(story))
    assert cell in re.sub(r"\s*\n\s*", "", folded)


@pytest.mark.parametrize(
    ("best_ms", "at"),
    [
        (10.0, "at 41 % of its latency"),
        (8.4, "at 1/2 of its latency"),
        (4.2, "for as much latency"),
        (1.4, "at 2.9 times its latency"),
        (41.0, "at 1/10 of its latency"),
        (5.0, "at 82 % of its latency"),
    ],
)
def test_latencies_are_compared_as_they_are(best_ms, at):
    """The best has too large a file: it may be slower or faster than what was chosen."""
    rows = [make_row("chosen", 0.80, 4.1, 10.0), make_row("best", 0.90, best_ms, 90.0)]
    assert answer(make_story(rows=rows, budget=Budget(max_mb=25.0))).endswith(f"(`best`) {at}.")


def test_thresholds_of_each_text_go_with_it_and_are_told_of():
    story = make_story(make_task(5, multi_label=True), metric="macro_f1")
    thresholds = np.random.default_rng(0).random(story.evidence.probabilities.shape).astype(np.float32)
    evidence = replace(story.evidence, thresholds=thresholds)
    rows = np.array([7, 3])
    np.testing.assert_array_equal(evidence.answers(rows)["thresholds"], thresholds[rows])
    apart = replace(story, evidence=evidence)
    assert "fitted on the other half" in rendered(apart)
    assert "fitted on the other half" in model_card(apart)
    assert "fitted on the other half" not in rendered(story) + model_card(story)

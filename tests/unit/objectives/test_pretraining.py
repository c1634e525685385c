"""What is read, what is predicted, and what it costs, against the same written out token by token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch

from gradatim.errors import ConfigError, DataError
from gradatim.models.backbone import Backbone
from gradatim.models.heads import LanguageHead, MaskedHead, RowHead
from gradatim.models.inputs import PackedTexts
from gradatim.models.language import LanguageModel, Seq2Seq
from gradatim.models.presets import Sizes, bert, decoder, gpt, t5
from gradatim.nn.packed import Layout
from gradatim.objectives.base import Batch
from gradatim.objectives.causal import CausalLanguage
from gradatim.objectives.corruption import SpanCorruption
from gradatim.objectives.masked import MaskedLanguage, Masking
from gradatim.objectives.next_sentence import NextSentence
from gradatim.objectives.seq2seq import SequenceToSequence
from gradatim.types import Array, Encoded

VOCABULARY, WIDTH = 61, 14
SIZES = Sizes(vocab_size=VOCABULARY, num_layers=2, width=WIDTH, num_heads=2, ffn_width=17, max_length=40)
MASKING = Masking(mask_id=4, vocab_size=VOCABULARY, specials=(2, 3))


def texts(lengths: list[int], seed: int = 0, low: int = 5) -> PackedTexts:
    ids = np.random.default_rng(seed).integers(low, 50, sum(lengths))
    return PackedTexts(
        Encoded({"ids": ids, "lengths": np.array(lengths)}, np.arange(len(lengths)), len(lengths))
    )


def split(flat: torch.Tensor | Array, lengths: torch.Tensor | Array) -> list[list[int]]:
    return [part.tolist() for part in np.split(np.asarray(flat), np.cumsum(np.asarray(lengths))[:-1])]


def flat(rows: Iterable[list[int]]) -> list[int]:
    return [token for row in rows for token in row]


def read(batch: Batch) -> list[list[int]]:
    """The rows of a batch, without those that only fill it."""
    rows = split(batch.inputs.ids, batch.inputs.layout.lengths)
    return rows[: len(batch.inputs.owners)]


def masked_model() -> LanguageModel:
    torch.manual_seed(0)
    body = Backbone(bert(SIZES))
    net = LanguageModel(body, MaskedHead(body.embedding.words), RowHead(WIDTH, 2, inner="tanh"))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net.eval()


# --- causal


def test_documents_apart_are_cut_into_rows_that_predict_every_token_but_the_first() -> None:
    packed = texts([7, 1, 4, 10])
    documents = split(packed.ids, packed.lengths)
    objective = CausalLanguage(packed, 4, end_id=1)
    batch = objective.collate(np.arange(len(objective.sizes)))
    targets = split(batch.targets["next"], objective.sizes)
    assert objective.sizes.tolist() == [4, 3, 1, 4, 4, 4, 2]
    assert [len(row) for row in read(batch)] == objective.sizes.tolist()
    whole = [[*document, 1] for document in documents]
    assert flat(read(batch)) == flat(document[:-1] for document in whole)
    assert flat(targets) == flat(document[1:] for document in whole)
    assert all(row[1:] == target[:-1] for row, target in zip(read(batch), targets, strict=True))


def test_carried_documents_make_full_rows_of_one_stream() -> None:
    packed = texts([7, 1, 4, 10])
    objective = CausalLanguage(packed, 4, end_id=1, carried=True)
    batch = objective.collate(np.arange(len(objective.sizes)))
    stream = flat([*document, 1] for document in split(packed.ids, packed.lengths))
    assert objective.sizes.tolist() == [4, 4, 4, 4, 4, 4, 1]
    assert flat(read(batch)) == stream[:-1]
    assert batch.targets["next"].tolist() == stream[1:]


def test_the_causal_loss_is_the_mean_of_the_tokens_surprise() -> None:
    torch.manual_seed(0)
    body = Backbone(gpt(SIZES))
    net = LanguageModel(body, LanguageHead(WIDTH, VOCABULARY, words=body.embedding.words)).eval()
    packed = texts([7, 2, 11])
    objective = CausalLanguage(packed, 40)
    loss = objective.loss(net, objective.collate(np.array([2, 0, 1])))
    surprises = []
    for document in split(packed.ids, packed.lengths):
        for end in range(1, len(document)):  # each token from its own prefix alone
            scores = net(torch.tensor(document[:end]), Layout.of([end]))[-1]
            surprises.append(-scores.log_softmax(-1)[document[end]])
    torch.testing.assert_close(loss.value, torch.stack(surprises).mean(), atol=1e-5, rtol=1e-5)
    assert loss.weight == len(surprises) == 17


def test_documents_of_one_token_predict_nothing() -> None:
    for length in (1, 8):
        with pytest.raises(ConfigError, match="two tokens"):
            CausalLanguage(texts([1, 1]), length)
        assert CausalLanguage(texts([1, 0, 3]), length).sizes.sum() == 2


# --- masked


def test_shares_of_masked_random_and_kept_words() -> None:
    packed = texts([40] * 2000)
    batch = MaskedLanguage(packed, MASKING).collate(np.arange(2000), seed=3)
    ids, truth = batch.inputs.ids.numpy()[: len(packed.ids)], packed.ids
    at, targets = batch.at.numpy(), batch.targets["masked"].numpy()
    assert np.bincount(at // 40).tolist() == [6] * 2000  # 15 % of 40, of every row
    assert np.array_equal(truth[at], targets)
    untouched = np.ones(len(truth), bool)
    untouched[at] = False
    assert np.array_equal(ids[untouched], truth[untouched])
    masked, kept = ids[at] == 4, ids[at] == targets
    assert masked.mean() == pytest.approx(0.8, abs=0.01)
    assert (kept & ~masked).mean() == pytest.approx(0.1 + 0.1 / VOCABULARY, abs=0.01)
    drawn = ids[at][~masked & ~kept]
    assert drawn.min() == 0
    assert drawn.max() == VOCABULARY - 1
    places = np.bincount(at % 40, minlength=40) / len(at)
    assert places == pytest.approx(np.full(40, 1 / 40), rel=0.25)  # no place is preferred


def test_places_are_drawn_anew_with_the_seed_and_the_texts_stay() -> None:
    packed = texts([30, 20])
    objective, before = MaskedLanguage(packed, MASKING), packed.ids.copy()
    first, again, other = (objective.collate(np.arange(2), seed=seed) for seed in (7, 7, 8))
    assert torch.equal(first.inputs.ids, again.inputs.ids)
    assert torch.equal(first.at, again.at)
    assert not torch.equal(first.at, other.at)
    replaced = [objective.collate(np.arange(2), seed).inputs.ids[:50] for seed in range(99)]
    drawn = {i.item() for ids in replaced for i in ids[ids != torch.from_numpy(before)]}
    assert len(drawn) > 20  # a random word is another one each time
    assert np.array_equal(packed.ids, before)


def test_special_tokens_are_never_hidden_and_short_rows_hide_one_word() -> None:
    ids = np.array([2, 9, 3, 2, 8, 7, 3, 2, 3])
    packed = PackedTexts(Encoded({"ids": ids, "lengths": np.array([3, 4, 2])}, np.arange(3), 3))
    objective = MaskedLanguage(packed, MASKING)
    seen = set()
    for seed in range(20):
        at = objective.collate(np.arange(3), seed).at.tolist()
        assert at[0] == 1
        assert len(at) == 2
        seen.add(at[1])
    assert seen == {4, 5}
    empty = objective.collate(np.array([2]))
    loss = objective.loss(masked_model(), empty)
    assert (loss.value.item(), loss.weight) == (0.0, 0)


def test_whole_words_are_hidden_whole() -> None:
    continues = np.zeros(VOCABULARY, bool)
    continues[30:] = True
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(500):
        words = [[int(rng.integers(5, 30)), *rng.integers(30, 50, rng.integers(0, 4))] for _ in range(12)]
        rows.append([2, *flat(words), 3])
    lengths = np.array([len(row) for row in rows])
    packed = PackedTexts(Encoded({"ids": np.array(flat(rows)), "lengths": lengths}, np.arange(500), 500))
    batch = MaskedLanguage(packed, replace(MASKING, continues=continues)).collate(np.arange(500))
    hidden = np.zeros(len(packed.ids), bool)
    hidden[batch.at.numpy()] = True
    word = np.cumsum(~continues[packed.ids]) - 1  # a special token is a word of its own
    share = np.bincount(word, hidden) / np.bincount(word)
    assert set(share) == {0.0, 1.0}
    assert hidden.sum() / (lengths - 2).sum() == pytest.approx(0.15, abs=0.01)


def test_a_word_ends_with_its_row_and_at_a_special_token() -> None:
    pieces = replace(MASKING, continues=np.arange(VOCABULARY) >= 30)
    ids = np.array([40, 41, 42, 43, 44, 45, 2, 46])
    packed = PackedTexts(Encoded({"ids": ids, "lengths": np.array([3, 2, 3])}, np.arange(3), 3))
    hidden = {
        tuple(MaskedLanguage(packed, pieces).collate(np.arange(3), seed).at.tolist()) for seed in range(20)
    }
    assert hidden == {(0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 7)}


def test_the_masked_loss_is_cross_entropy_at_the_hidden_places_alone() -> None:
    net, packed = masked_model(), texts([13, 29, 5])
    objective = MaskedLanguage(packed, MASKING)
    batch = objective.collate(np.array([2, 0]), seed=1)
    truth = split(packed.ids, packed.lengths)
    surprises = []
    for row, wanted in zip(read(batch), (truth[2], truth[0]), strict=True):
        alone = net(torch.tensor(row), Layout.of([len(row)])).log_softmax(-1)
        start = 0 if wanted is truth[2] else 5
        places = [i - start for i in batch.at.tolist() if start <= i < start + len(row)]
        surprises += [-alone[place, wanted[place]] for place in places]
    loss = objective.loss(net, batch)
    torch.testing.assert_close(loss.value, torch.stack(surprises).mean(), atol=1e-5, rtol=1e-5)
    assert loss.weight == len(surprises) == 1 + 2


@pytest.mark.parametrize("fields", [{"share": 0.0}, {"share": 1.0}, {"masked": 0.9, "random": 0.2}])
def test_shares_that_are_none_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="share"):
        replace(MASKING, **fields)


# --- next sentence

SENTENCES = [5, 4, 9, 3, 7, 6, 2, 8, 5, 5, 30, 4]
DOCUMENTS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2])


def next_sentence(length: int = 23) -> NextSentence:
    return NextSentence(texts(SENTENCES), DOCUMENTS, MASKING, length=length, first_id=2, between_id=3)


def test_half_of_the_passages_are_followed_by_the_next_and_half_by_another_documents() -> None:
    sentences = texts(SENTENCES)
    sentence_document = np.repeat(DOCUMENTS, SENTENCES)
    # Every run of tokens occurs once: where a passage stands tells which document it is of.
    sentences.ids = np.arange(5, 5 + len(sentences.ids))
    masking = replace(MASKING, masked=0.0, random=0.0, vocab_size=200)
    objective = NextSentence(sentences, DOCUMENTS, masking, length=23, first_id=2, between_id=3)
    rows = np.arange(len(objective.sizes))
    strange, strangers = [], set()
    for seed in range(200):
        batch = objective.collate(rows, seed)
        segments = split(batch.inputs.segments, batch.inputs.layout.lengths)
        for row, segment, relation in zip(
            read(batch), segments, batch.targets["relation"].tolist(), strict=False
        ):
            middle = row.index(3)
            a, b = row[1:middle], row[middle + 1 : -1]
            assert (row[0], row[middle], row[-1]) == (2, 3, 3)
            assert segment == [0] * (middle + 1) + [1] * (len(b) + 1)
            assert len(row) <= 23
            document_a, document_b = ({sentence_document[i - 5] for i in side} for side in (a, b))
            assert len(document_a) == len(document_b) == 1
            if relation:
                assert document_a != document_b
                strangers.add(b[0])
            else:
                assert b[0] == a[-1] + 1
                assert document_a == document_b
            strange.append(relation)
    assert np.mean(strange) == pytest.approx(0.5, abs=0.03)
    assert len(strangers) == len(objective.starts)  # any passage may turn up
    assert objective.lengths.sum() == sum(SENTENCES)  # and none is lost


def test_passages_are_whole_sentences_where_they_fit() -> None:
    objective = next_sentence()  # passages of at most 10
    assert objective.lengths.tolist() == [9, 9, 10, 8, 8, 10, 10, 10, 10, 4]


def test_both_losses_come_from_one_pass() -> None:
    net, objective = masked_model(), next_sentence()
    batch = objective.collate(np.array([4, 0, 2]), seed=5)
    loss = objective.loss(net, batch)
    starts = np.cumsum([0, *map(len, read(batch))])
    masked, relation = [], []
    for i, row in enumerate(read(batch)):
        layout, ids = Layout.of([len(row)]), torch.tensor(row)
        segments = batch.inputs.segments[starts[i] : starts[i + 1]]
        scores = net(ids, layout, segments).log_softmax(-1)
        for place, target in zip(batch.at.tolist(), batch.targets["masked"].tolist(), strict=True):
            if starts[i] <= place < starts[i + 1]:
                masked.append(-scores[place - starts[i], target])
        first = net.body(ids, layout, segments)[:1]
        relation.append(-net.relation(first).log_softmax(-1)[0, batch.targets["relation"][i]])
    assert loss.counts == {"masked": len(masked), "relation": 3}
    assert loss.parts["masked"] == pytest.approx(torch.stack(masked).mean().item(), abs=1e-5)
    assert loss.parts["relation"] == pytest.approx(torch.stack(relation).mean().item(), abs=1e-5)
    assert loss.value.item() == pytest.approx(sum(loss.parts.values()), abs=1e-5)


def test_the_order_of_sentences_needs_documents_room_and_a_head() -> None:
    for lengths, documents in (([5, 5], [0, 0]), ([5, 5], [0, 1]), ([0, 0], [0, 1])):
        with pytest.raises(DataError, match="two documents"):
            NextSentence(texts(lengths), np.array(documents), MASKING, length=23, first_id=2, between_id=3)
    with pytest.raises(ConfigError, match="room"):
        next_sentence(length=4)
    net, objective = masked_model(), next_sentence()
    net.relation = None
    with pytest.raises(ConfigError, match="relation"):
        objective.loss(net, objective.collate(np.arange(2)))


# --- sequence to sequence


def seq2seq() -> Seq2Seq:
    torch.manual_seed(0)
    config = t5(SIZES)
    return Seq2Seq(config, decoder(config)).eval()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_decoder_reads_the_truth_one_step_late(smoothing: float) -> None:
    net, sources, targets = seq2seq(), texts([9, 4, 6]), texts([3, 8, 5], seed=1)
    objective = SequenceToSequence(sources, targets, start_id=0, smoothing=smoothing)
    batch = objective.collate(np.array([2, 0]))
    x, y = split(sources.ids, sources.lengths), split(targets.ids, targets.lengths)
    assert read(batch) == [x[2], x[0]]
    assert split(batch.decoder.ids, [5, 3]) == [[0, *y[2][:-1]], [0, *y[0][:-1]]]
    assert batch.targets["target"].tolist() == y[2] + y[0]
    assert batch.num_tokens == objective.sizes[[2, 0]].sum() == 6 + 9 + 5 + 3
    costs = []
    for i in (2, 0):
        source, layout = torch.tensor(x[i]), Layout.of([len(x[i])])
        for t, word in enumerate(y[i]):  # each word from its own prefix alone
            prefix = torch.tensor([0, *y[i][:t]])
            logs = net(source, layout, prefix, Layout.of([t + 1]))[-1].log_softmax(-1)
            costs.append(-(1 - smoothing) * logs[word] - smoothing * logs.mean())
    loss = objective.loss(net, batch)
    torch.testing.assert_close(loss.value, torch.stack(costs).mean(), atol=1e-5, rtol=1e-5)
    assert loss.weight == 8


def test_sources_and_targets_must_be_rows_of_each_other() -> None:
    with pytest.raises(DataError, match="3 sources"):
        SequenceToSequence(texts([3, 4, 5]), texts([3, 4]), start_id=0)
    windows = PackedTexts(Encoded({"ids": np.arange(6), "lengths": np.array([3, 3])}, np.array([0, 0]), 1))
    with pytest.raises(DataError, match="2 rows"):
        SequenceToSequence(windows, texts([4]), start_id=0)


# --- span corruption


def corruption(lengths: list[int], length: int = 100, **rest: float) -> SpanCorruption:
    return SpanCorruption(texts(lengths), length, sentinel_id=VOCABULARY - 1, **rest)


def test_spans_share_and_length_are_as_set() -> None:
    objective = corruption([100] * 300)
    batch = objective.collate(np.arange(300), seed=1)
    sources = read(batch)
    targets = split(batch.targets["target"], batch.decoder.layout.lengths)
    assert {len(row) for row in sources} == {100 - 15 + 5 + 1}
    assert {len(row) for row in targets} == {15 + 5 + 1}
    for row in (*sources, *targets):
        assert [i for i in row if i >= 50] == [60, 59, 58, 57, 56]  # from the top of the vocabulary down
        assert row[-1] == 1
    begins = np.array([row.index(60) for row in sources])
    assert begins.min() == 1  # a row begins with text
    assert begins.max() > 30
    assert [len(source) + len(target) for source, target in zip(sources, targets, strict=True)] == [
        *objective.sizes
    ]


def test_the_decoder_of_corrupted_text_starts_with_the_start_token() -> None:
    batch = corruption([40, 23]).collate(np.arange(2))
    decoder_rows = split(batch.decoder.ids, batch.decoder.layout.lengths)
    targets = split(batch.targets["target"], batch.decoder.layout.lengths)
    assert decoder_rows == [[0, *target[:-1]] for target in targets]
    assert seq2seq()(
        batch.inputs.ids, batch.inputs.layout, batch.decoder.ids, batch.decoder.layout
    ).shape == (
        batch.counts["target"],
        VOCABULARY,
    )


def test_rows_come_from_one_document_each_and_too_few_sentinels_are_refused() -> None:
    # Rows of one token are left out.
    assert corruption([25, 1, 11], length=10).lengths.tolist() == [
        10,
        10,
        5,
        10,
    ]
    with pytest.raises(ConfigError, match="up to 5 spans, for 4 sentinels"):
        corruption([100], num_sentinels=4)
    with pytest.raises(ConfigError, match="two tokens"):
        corruption([1])

"""The systems that `benchmarks.translate` compares: one encoder-decoder, each at its best free setting.

Every system takes a batch of sources as ids, the longest first, how many beams to search with, and the number of tokens
to write exactly (None: until the end, at most 100), and gives ids without the start. `prepare` makes what each needs
from one model folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MOST = 100
WORDS, PAD, END = 32_000, 2, 0  # </s>, <unk>, <pad>: as the tokenizers of kind marian have them
Write = Callable[[list[list[int]], int, int | None], list[list[int]]]
Opener = Callable[[Path, int], Write]


def prepare(model: Path | None, out: Path) -> tuple[list[list[int]], list[str] | None]:
    """Files of all systems in `out`; the sources, the longest first, and their references where there are some."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "model").is_dir():
        if model is None:
            _random(out / "model")
        else:
            shutil.copytree(model, out / "model")
    sources, references = _sources(out, trained=model is not None)
    _gradatim_files(out, sources)
    _hugging_face(out)
    _ctranslate2(out)
    return sources, references


def gradatim(name: str) -> Opener:
    def open_it(out: Path, threads: int) -> Write:
        from gradatim.decode.search import Search
        from gradatim.decode.write import write
        from gradatim.pipelines.open import load_text_to_text

        writer = load_text_to_text(out / f"gradatim-{name}.gradatim", threads=threads)

        def written(batch: list[list[int]], beams: int, length: int | None) -> list[list[int]]:
            search = Search(
                end=END,
                beams=beams,
                banned=(PAD,),
                stop="likely",
                max_length=length or MOST,
                min_length=length or 0,
            )
            if length:  # the end never comes
                search = Search(end=END, beams=beams, banned=(PAD, END), max_length=length)
            arrays = {"ids": np.concatenate(batch), "lengths": np.array([len(row) for row in batch])}
            return [texts[0].ids.tolist() for texts in write(writer.stepper, arrays, search)]

        return written

    return open_it


def transformers(dtype: str) -> Opener:
    def open_it(out: Path, threads: int) -> Write:
        import torch
        from transformers import MarianMTModel

        torch.set_num_threads(threads)
        model = MarianMTModel.from_pretrained(out / "hf", dtype=getattr(torch, dtype)).eval()

        @torch.inference_mode()
        def written(batch: list[list[int]], beams: int, length: int | None) -> list[list[int]]:
            longest = max(map(len, batch))
            ids = torch.tensor([row + [PAD] * (longest - len(row)) for row in batch])
            limits: dict[str, Any] = {"max_new_tokens": length or MOST}
            if length:
                limits |= {"min_new_tokens": length, "suppress_tokens": [END, PAD]}
            found = model.generate(
                input_ids=ids, attention_mask=(ids != PAD).long(), num_beams=beams, do_sample=False,
                forced_eos_token_id=None, bad_words_ids=None, **({"suppress_tokens": [PAD]} | limits),
            )  # fmt: skip
            return [_until_end(row[1:].tolist()) for row in found]

        return written

    return open_it


def ctranslate2(kind: str) -> Opener:
    def open_it(out: Path, threads: int) -> Write:
        from ctranslate2 import Translator

        translator = Translator(
            str(out / "ctranslate2"), compute_type=kind, inter_threads=1, intra_threads=threads
        )

        def written(batch: list[list[int]], beams: int, length: int | None) -> list[list[int]]:
            limits: dict[str, Any] = {"max_decoding_length": length or MOST}
            if length:
                limits |= {"min_decoding_length": length, "suppress_sequences": [[f"t{END}"], [f"t{PAD}"]]}
            else:
                limits["suppress_sequences"] = [[f"t{PAD}"]]
            tokens = [[f"t{token}" for token in row] for row in batch]
            found = translator.translate_batch(tokens, beam_size=beams, max_input_length=0, **limits)
            return [[int(token[1:]) for token in result.hypotheses[0]] for result in found]

        return written

    return open_it


SYSTEMS: dict[str, Opener] = {
    "gradatim fp32": gradatim("fp32"),
    "gradatim int8": gradatim("int8"),
    "transformers fp32": transformers("float32"),
    "transformers bf16": transformers("bfloat16"),
    "CTranslate2 float32": ctranslate2("float32"),
    "CTranslate2 int8": ctranslate2("int8"),
}


def _until_end(row: list[int]) -> list[int]:
    """Without the end and what pads it."""
    row = row[: row.index(END)] if END in row else row
    return [token for token in row if token != PAD]


def _random(folder: Path) -> None:
    """A Marian with weights as large as trained ones, drawn once."""
    from dataclasses import replace

    import torch

    from gradatim.checkpoint.config import ModelConfig
    from gradatim.checkpoint.folder import save_model
    from gradatim.models.presets import SIZES, decoder, marian

    torch.manual_seed(0)
    body = marian(replace(SIZES["marian"], vocab_size=WORDS))
    config = ModelConfig(
        kind="seq2seq",
        body=body,
        decoder=decoder(body),
        bias=True,
        special={"pad": PAD, "start": PAD, "eos": END},
    )
    save_model(config.build(), folder, config=config)


def _sources(out: Path, *, trained: bool) -> tuple[list[list[int]], list[str] | None]:
    """The test sentences of Multi30k, or as many rows of random ids of those lengths."""
    from gradatim.data.parallel import load_parallel
    from gradatim.text.tokenizer import load_tokenizer

    pairs = load_parallel("multi30k/en-de")[0]["test"]
    if trained:
        tokenizer = load_tokenizer(out / "model" / "tokenizer.json")
        rows = [tokenizer.encode(text).ids for text in pairs.sources]
    else:
        rng = np.random.default_rng(0)
        rows = [rng.integers(3, WORDS, len(text.split()) + 2).tolist() for text in pairs.sources]
    order = np.argsort([-len(row) for row in rows], kind="stable").tolist()
    lower = [pairs.targets[at].lower() for at in order]
    return [rows[at] for at in order], lower if trained else None


def _gradatim_files(out: Path, sources: list[list[int]]) -> None:
    from gradatim.checkpoint.folder import read_model
    from gradatim.engine.artifact import write_artifact
    from gradatim.export.shared import members
    from gradatim.export.text_to_text import KIND, decoder_graph, encoder_graph, in_int8
    from gradatim.text.tokenizer import build_tokenizer, preset
    from gradatim.types import Task

    if (out / "gradatim-int8.gradatim").is_file():
        return
    model: Any = read_model(out / "model").model
    some = sources[:: len(sources) // 48]
    arrays = {"ids": np.concatenate(some), "lengths": np.array([len(row) for row in some])}
    exact = encoder_graph(model), decoder_graph(model)
    file = out / "model" / "tokenizer.json"
    if not file.is_file():
        from tokenizers import models

        pieces = [("</s>", 0.0), ("<unk>", 0.0), ("<pad>", 0.0), *((f"t{i}", 0.0) for i in range(3, WORDS))]
        file = out / "tokenizer.json"
        build_tokenizer(models.Unigram(pieces, unk_id=1), preset("marian")).save(str(file))
    settings = {
        "kind": "text2text",
        "max_length": 512,
        "longest": 512,
        "start": PAD,
        "end": END,
        "prefix": "",
    }
    for name, graphs in (("fp32", exact), ("int8", in_int8(*exact, arrays, start=PAD, end=END))):
        write_artifact(
            out / f"gradatim-{name}.gradatim", kind=KIND, task=Task((), kind="seq2seq"), encoder=settings,
            members={**members(*graphs), "tokenizer.json": file.read_bytes()}, provenance={},
        )  # fmt: skip


def _hugging_face(out: Path) -> None:
    from gradatim.checkpoint.folder import read_model, save_model

    if not (out / "hf").is_dir():
        read = read_model(out / "model")
        save_model(read.model, out / "hf", family="marian", config=read.config)


def _ctranslate2(out: Path) -> None:
    """CTranslate2's own conversion, but for a start that has a vector, and words called t0, t1, ..."""
    if (out / "ctranslate2").is_dir():
        return
    from ctranslate2.converters import transformers as converters
    from transformers import MarianMTModel

    class Words:
        bos_token = eos_token = f"t{END}"
        unk_token = "t1"

    class Loader(converters.BartLoader):  # type: ignore[misc, name-defined]
        architecture_name = "MarianMTModel"

        def get_vocabulary(self, model: Any, _tokenizer: Any) -> list[str]:
            return [f"t{number}" for number in range(model.config.vocab_size)]

        def set_config(self, config: Any, _model: Any, tokenizer: Any) -> None:
            config.eos_token, config.unk_token = tokenizer.eos_token, tokenizer.unk_token
            config.decoder_start_token = f"t{PAD}"

    model = MarianMTModel.from_pretrained(out / "hf").eval()
    model.config.normalize_before = model.config.normalize_embedding = False
    spec = Loader()(model, Words())
    spec.validate()
    (out / "ctranslate2").mkdir()
    spec.save(str(out / "ctranslate2"))

"""The two graphs of an exported encoder-decoder, loaded, and how sources are read with the first of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from gradatim.engine.graph import load_session
from gradatim.engine.names import AFTER, VOCABULARY
from gradatim.engine.onnx import cut, pad
from gradatim.engine.processor import available_cores
from gradatim.errors import ArtifactError
from gradatim.types import Array

CALL_TOKENS = 1024  # most padded tokens of a call of the encoder,
START_TOKENS = 20  # and what a call costs by itself
SHARED = ".weights"  # ends the names of members that hold a tensor of both graphs


class GraphPair:
    """One graph that reads sources, and one that writes a token more for every row.

    What the encoder makes is handed to the decoder. Inputs of the decoder that come out of it again, renewed and with
    `AFTER` behind their name, are `carried` from token to token. `shared` are weights that both name and do not hold.
    Raises `ArtifactError` if there are no such graphs.
    """

    def __init__(
        self,
        encoder: bytes,
        decoder: bytes,
        *,
        threads: int | None = None,
        shared: Mapping[str, bytes] | None = None,
    ) -> None:
        try:
            self._encoder, self.decoder = (
                load_session(model, threads or available_cores(), shared=shared)
                for model in (encoder, decoder)
            )
            self.inputs = {node.name: node.shape for node in self.decoder.get_inputs()}
            self.outputs = [node.name for node in self.decoder.get_outputs()]
            self.made = [node.name for node in self._encoder.get_outputs()]
            facts = self.decoder.get_modelmeta().custom_metadata_map
            self.vocab_size = int(facts.get(VOCABULARY, 0))
        except Exception as error:  # the runtime has no common exception class
            raise ArtifactError(f"encoder.onnx and decoder.onnx cannot be loaded: {error}") from error
        self.carried = [name for name in self.inputs if f"{name}{AFTER}" in self.outputs]

    def require(self, inputs: Collection[str]) -> None:
        """Refuse a decoder with other inputs than these and what the encoder makes."""
        if {*inputs, *self.made} != self.inputs.keys() or not self.vocab_size:
            raise ArtifactError(
                f"decoder.onnx writes no text after encoder.onnx: it has inputs {sorted(self.inputs)}"
            )

    def read(self, ids: Array, lengths: Array) -> dict[str, Array]:
        """What the encoder makes of packed sources, by name, read in the calls that cost least."""
        ids, lengths = ids.astype(np.int32, copy=False), lengths.astype(np.int32, copy=False)
        order, starts = np.argsort(lengths, kind="stable"), np.cumsum(lengths) - lengths

        def read(rows: Array) -> dict[str, Array]:
            feed = {**pad({"ids": ids}, starts[rows], lengths[rows]), "lengths": lengths[rows]}
            return dict(zip(self.made, self._encoder.run(self.made, feed), strict=True))

        spans = cut(lengths[order], CALL_TOKENS, START_TOKENS)
        if len(spans) == 1:
            return read(np.arange(len(lengths)))
        made: dict[str, Array] = {}
        for first, last in reversed(spans):  # the longest first, as all have their room
            rows = order[first:last]
            for name, array in read(rows).items():
                if name not in made:
                    made[name] = np.zeros((len(lengths), *array.shape[1:]), dtype=np.float32)
                room: Any = (rows, *map(slice, array.shape[1:]))
                made[name][room] = array
        return made

"""The constant session answers any number of rows alike."""

import numpy as np
import pytest

from gradatim.engine.constant import ConstantSession
from gradatim.errors import ArtifactError


def test_every_row_gets_the_logits() -> None:
    session = ConstantSession.from_npz(ConstantSession(np.log([0.25, 0.75])).to_npz())
    found = session.run({"lengths": np.array([3, 0])})["logits"]
    assert np.exp(found) == pytest.approx(np.array([[0.25, 0.75]] * 2))
    assert session.run({"lengths": np.zeros(0, np.int64)})["logits"].shape == (0, 2)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ArtifactError):
        ConstantSession.from_npz(b"PK")

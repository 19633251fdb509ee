"""torch.testing.assert_close"""

import numpy as np
import pytest

import tinygrad_lite as tl

close = tl.testing.assert_close
T = tl.tensor


@pytest.mark.parametrize("actual, expected", [
    (T([1.0, 2.0]), T([1.0, 2.0 + 1e-6])), (T([1, 2]), T([1, 2])), (1.0, 1.0 + 1e-9), ([T([1.0]), 2], [T([1.0]), 2]),
    ({"a": T([True])}, {"a": T([True])}), (np.ones(2), np.ones(2)), (T([]), T([]))])
def test_what_is_close(actual, expected):
    close(actual, expected)


@pytest.mark.parametrize("actual, expected, words", [
    (T([1.0, 2.0, 4.0]), T([1.0, 2.1, 3.0]), r"2 of 3 elements are not close; .* at \(2,\): 4.0 and 3.0"), (T([1]), T([2]), r"1 of 1"),
    (T([1.0]), T([1]), "the dtypes differ: float32 and int64"), (T([1.0]), T(1.0), "the shapes differ"), (T([np.nan]), T([np.nan]), "not close"),
    ({"a": [T([1.0]), T([2.0])]}, {"a": [T([1.0]), T([3.0])]}, r"\['a'\]\[1\]: 1 of 1"), ({"a": 1}, {"b": 1}, "the keys differ"), ([1], [1, 2], "the lengths differ")])
def test_what_is_not_close_is_said(actual, expected, words):
    with pytest.raises(AssertionError, match=words):
        close(actual, expected)


def test_tolerances_and_messages_can_be_given():
    close(T([1.0]), T([1.4]), rtol=0, atol=0.5)
    close(T([np.nan]), T([np.nan]), equal_nan=True)
    close(T([1.0]), T([1]), check_dtype=False)
    with pytest.raises(AssertionError, match="^loss: 1 of 1"):
        close(T([1.0]), T([2.0]), msg=lambda text: "loss: " + text)
    with pytest.raises(ValueError, match="both rtol and atol"):
        close(T([1.0]), T([1.0]), rtol=0.1)

"""What is said of arguments that do not fit: the operation, what it was given, and why, in this library's words."""

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

REFUSALS = (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError,  # how numpy and Python say that they
            AttributeError)  # cannot, whom an operation hands something on to
NO_INDEX = "an index is made of whole numbers, slices, None, ... and tensors of whole numbers or bools"
UNFIT = "shapes {} do not broadcast: counted from the last dimension, sizes are equal or 1"


def out_of_range(dim: int, n: int) -> str:
    """What is said of a dimension that n dimensions do not have, which are counted from either side."""
    return f"dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"


def _unfit(match: re.Match) -> str:
    return UNFIT.format(" and ".join(re.findall(r"\(\d*(?:, ?\d+)*,?\)", match.string)))


WORDS: list[tuple[str, str | Callable[[re.Match], str]]] = [  # numpy's and Python's words: what is meant by them
    (r"(?:operands could not be broadcast|shape mismatch: (?:indexing|objects|value)).*", _unfit),
    (r"cannot broadcast a non-scalar.*", "a tensor with dimensions does not fit into one without"),
    (r"input operand has more dimensions than allowed.*", "the tensor has more dimensions than sizes are given"),
    (r"all elements of broadcast shape must be non-neg.*|negative dimensions are not allowed", "a size is at least 0"),
    (r".*mismatch in its core dimension.*size (\d+) is different from (\d+).*", r"the inner sizes \2 and \1 differ"),
    (r".*does not have enough dimensions.*|.*at least two-dimensional.*|matrix transpose with ndim < 2.*",
     "needs at least 2 dimensions"),
    (r"Last 2 dimensions of the array must be square", "the last two dimensions are of one size"),
    (r"array type (\w+) is unsupported in linalg", r"\1 is not computed with: convert with .float() first"),
    (r"Singular matrix", "a matrix is singular, so it has no inverse"),
    (r"Matrix is not positive definite", "a matrix is not positive definite"),
    (r"zero-size array to reduction.*|attempt to get arg\w+ of an empty sequence",
     "there is no element to choose from; name a dim that has some"),
    (r"cannot reshape array of size (\d+) into shape.*", r"\1 elements do not fit into that shape"),
    (r"can only specify one unknown dimension", "only one size may be -1"),
    (r"axes don't match array|axis (-?\d+) is out of bounds for array of dimension (\d+)",
     lambda m: out_of_range(int(m[1]), int(m[2])) if m[1] else "the dims do not fit the shape"),
    (r"(?:repeated|duplicate) axis.*", "the dims name a dimension twice"),
    (r"tuple index out of range|list index out of range", "the tensor has fewer dimensions than that"),
    (r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)",
     r"index \1 is out of bounds for dimension \2 of size \3"),
    (r"too many indices for array: array is (\d+)-dimensional, but (\d+) were indexed",
     r"\2 indices are too many for \1 dimensions"),
    (r"boolean index did not match .* along (?:axis|dimension) (\d+); .*?is (\d+) but .*is (\d+)",
     r"a mask of size \3 does not match dimension \1 of size \2"),
    (r"only integers, slices.*|arrays used as indices must be.*|only integer scalar arrays.*", NO_INDEX),
    (r"all the input array dimensions except.*along dimension (\d+), .* 0 has size (\d+).*index (\d+) has size (.*)",
     r"the tensors differ in dimension \1: size \2, and size \4 of number \3"),
    (r"all the input arrays must have same number of dimensions.*0 has (\d+) .*index (\d+) has (\d+) dim.*",
     r"the tensors have different numbers of dimensions: \1, and \3 of number \2"),
    (r"setting an array element with a sequence.*", "the nested lists differ in length"),
    (r".*numpy boolean (?:subtract|negative), the `-` operator.*",
     "bools have no `-`: use ^ or ~, or convert with .int()"),
    (r"ufunc '\w+' not supported for the input types.*|ufunc '\w+' did not contain a loop.*|loop of ufunc does not.*",
     "does not take values of these kinds"),
    (r"Python integer (\S+) out of bounds for (\w+)", r"\2 does not hold \1"),
    (r"cannot convert float (\w+) to integer", r"\1 is no whole number"),
    (r"Python int too large to convert to C long.*", "a whole number is too large for int64"),
    (r"must be real number, not (\w+)|type (\w+) doesn't define __\w+__ method",
     lambda m: f"takes numbers, tensors and arrays, not {m[1] or m[2]}"),
    (r"could not convert string to float.*|invalid literal for int.*|Cannot cast (?:ufunc|scalar).*",
     "does not take values of these kinds"),
    (r"(?:(?:integer|float) )?(?:division|modulo) (?:or modulo )?by zero|(?:integer|float) modulo",
     "a size or number is 0 where one above 0 is needed"),
    (r"'.*' not supported between instances of '(\S+)' and '(\S+)'",
     lambda m: f"numbers or tensors go here, not {_odd(m[1], m[2])}"),
    (r"unsupported operand type\(s\) for .*: '(\S+)' and '(\S+)'",
     lambda m: f"takes numbers, tensors and arrays, not {_odd(m[1], m[2])}"),
    (r"bad operand type for .*: '(\w+)'", r"takes numbers, tensors and arrays, not \1"),
    (r"'([\w.]+)' object cannot be interpreted as an integer|slice indices must be integers.*|"
     r"(?:tuple|list) indices must be integers or slices, not (\w+)|an integer is required.*",
     lambda m: "whole numbers go here" + (f", not {m[1] or m[2]}" if m[1] or m[2] else "")),
    (r"'(\w+)' object is not iterable|cannot unpack non-iterable (\w+) object",
     lambda m: f"several go here, in a tuple, not one {m[1] or m[2]}"),
    (r"object of type '(\w+)' has no len\(\)", r"several go here, in a tuple, not one \1"),
    (r"'(\w+)' object is not subscriptable", r"takes tensors and arrays, not \1; write tl.tensor(…)"),
    (r"(?:not enough|too many) values to unpack.*expected (\d+).*", r"\1 numbers go here"),
    (r"data type <class '(?:numpy\.)?(\w+)'> not inexact", r"takes floating-point numbers, not \1: use .float() first"),
    (r"unhashable type: '(\w+)'", r"one value goes here, not a \1"),
]


def _odd(*kinds: str) -> str:
    """Which of two operands' kinds is the one that does not belong."""
    odd = [k.rsplit(".")[-1] for k in kinds if k.rsplit(".")[-1] not in ("int", "float", "Tensor", "ndarray")]
    return odd[0] if odd else kinds[-1]


def in_own_words(text: str) -> str | None:
    """What a message of numpy's or Python's means; None of any other."""
    for pattern, meaning in WORDS:
        match = re.fullmatch(pattern, text.strip(), re.DOTALL)
        if match:
            said = match.expand(meaning) if isinstance(meaning, str) else meaning(match)
            return said.replace("NoneType", "None")
    return None


def whole_number(name: str, value: Any, least: int) -> int:
    """A setting that counts something; TypeError or ValueError where it is no whole number of at least so much."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a whole number, not {value!r}") from None
    if number < least:
        raise ValueError(f"{name} is at least {least}, not {number}")
    return number


def shown(argument: Any) -> str:
    """An argument in a message: what an array or a Tensor is, and not its values."""
    if hasattr(argument, "shape") and hasattr(argument, "dtype"):
        return f"{argument.dtype}{list(argument.shape)}"
    if type(argument) in (tuple, list) and any(hasattr(a, "shape") for a in argument):
        return f"[{', '.join(map(shown, argument))}]"
    return repr(argument)[:60]


def no_tensor(name: str, args: Iterable, error: Exception) -> Exception | None:
    """A TypeError where a list, say, was asked for what only tensors and arrays have."""
    kinds = {type(a).__name__ for a in args if not hasattr(a, "shape")}
    kind = next((k for k in kinds if str(error).startswith(f"'{k}' object has no attribute")), None)
    return None if kind is None else TypeError(
        f"{name}: takes tensors and arrays, not {kind}; write tl.tensor(…)".replace("NoneType", "None"))


def failed(op: Any, args: Iterable, error: Exception) -> Exception:
    """The exception a PyTorch user expects, with the operation and what it was given."""
    args = list(args)
    if isinstance(error, AttributeError):
        return no_tensor(op.__name__, args, error) or error
    kind = next((k for k in (IndexError, TypeError) if isinstance(error, k)), RuntimeError)
    text = re.sub(r"^\w+(\(.*?\))?: ", "", str(error))  # what a part of it was given is of no interest
    return kind(f"{op.__name__}({', '.join(map(shown, args))}): {in_own_words(text) or text}")


def refused(op: Any, args: Iterable, error: Exception) -> Exception:
    """`failed` where numpy or Python speaks, and the operation's name where none is said; else the error itself."""
    text = str(error)
    if isinstance(error, AttributeError) or in_own_words(text) is not None:
        return failed(op, args, error)
    if type(error) in REFUSALS and not re.match(r"[\w.]+(\(.*\))?:|\w+\(\)", text):
        return type(error)(f"{op.__name__}: {text}")
    return error

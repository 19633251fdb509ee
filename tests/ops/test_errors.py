"""Bad input: the exception's type and what its message names."""

import re

import numpy as np
import pytest
from calls import ROWS
from tinygrad_lite.nn import functional as F
from tinygrad_lite.nn import generation as G

import tinygrad_lite as tl

t, z = tl.tensor, tl.zeros
ERRORS = [
    (lambda: t([[1.0, 2.0, 3.0]]) + t([1.0, 2.0]), RuntimeError, r"add.*\[1, 3\].*\[2\]"),
    (lambda: t([[1.0, 2.0]]) @ t([[1.0, 2.0]]), RuntimeError, r"matmul.*\[1, 2\].*\[1, 2\]"),
    (lambda: t([1, 2], requires_grad=True), RuntimeError, "floating-point"),
    (lambda: (t([1.0, 2.0], requires_grad=True) * 2).backward(), RuntimeError, "scalar"),
    (lambda: (t([1.0, 2.0], requires_grad=True) * 2).backward(t([1.0])), RuntimeError, r"\(1,\).*\(2,\)"),
    (lambda: t([1.0]).backward(), RuntimeError, "does not require grad"),
    (lambda: t([1.0, 2.0]).item(), RuntimeError, "2 elements"),
    (lambda: t([1.0]).sum(3), IndexError, "sum.*3"),
    (lambda: t([[1.0]]).sum((0, 0)), RuntimeError, "sum.*twice"),
    (lambda: t([1.0]).unsqueeze(5), IndexError, "out of range"),
    (lambda: t([1.0])[4], IndexError, "getitem.*4"),
    (lambda: t([1.0, 2.0]).reshape(3), RuntimeError, r"reshape.*\[2\].*3"),
    (lambda: t([1, 2]).mean(), TypeError, r"mean.*float"),
    (lambda: bool(t([1.0, 2.0])), RuntimeError, "ambiguous"),
    (lambda: t([1.0], requires_grad=True).numpy(), RuntimeError, "detach"),
    (lambda: t([1.0]) + "a", TypeError, "add.*str is no real number"),
    (lambda: t([1.0]).sum(dims=0), TypeError, "dims"),
    (lambda: t([1.0]).permute(0, 1), (RuntimeError, IndexError), "range|once"),
    (lambda: t([1.0]).div(2, rounding_mode="up"), ValueError, "rounding_mode.*up"),
    (lambda: t([1.0]).clamp(), ValueError, "at least one of min and max"),
    (lambda: t([1.0]).masked_fill(t([1]), 0.0), RuntimeError, "bools, not int64"),
    (lambda: t([1.0]).prod((0,)), TypeError, "prod.*one dimension"),
    (lambda: tl.sum(t([1.0]), 0, False, 1), TypeError, "sum.. takes 3 arguments, but 4"),
    (lambda: tl.sum(t([1.0]), dims=0), TypeError, "sum.. got an unexpected keyword argument 'dims'"),
    (lambda: tl.sum(t([1.0]), 0, dim=0), TypeError, "sum.. got multiple values for argument 'dim'"),
    (lambda: t([1.0]).unsqueeze(1.5), TypeError, "unsqueeze: dim is a whole number or several, not 1.5"),
    (lambda: tl.index_put(t([1.0, 2.0]), (t([0, 0]).long(),), t([1.0, 2.0, 3.0]), True), RuntimeError, r"index_put: values of shape \(3,\)"),
    (lambda: t([1.0]).unsqueeze((0, 0)), ValueError, "unsqueeze: dim .0, 0. names a dimension twice"),
    (lambda: tl.sum_to_size(t([1.0, 2.0]), 3), RuntimeError, r"sum_to_size.*\(3,\).*\(2,\)"),
    (lambda: tl.sum_to_size(t([1.0, 2.0]), 2, 2), RuntimeError, r"sum_to_size.*\(2, 2\).*\(2,\)"),
    (lambda: tl.discounted_cumsum(t([1.0, 2.0]), t([1.0]), 0), RuntimeError, r"discounted_cumsum.*\(1,\).*\(2,\)"),
    (lambda: tl.index_put(t([1.0, 2.0]), ([0, 1],), t([1.0, 2.0, 3.0])), RuntimeError, r"index_put.*shapes \(3,\) and \(2,\) do not broadcast"),
    (lambda: t([1.0, 2.0])[: t(1.5)], TypeError, "getitem: a slice .* not float"),
    (lambda: tl.cat([]), ValueError, "cat: needs at least one"),
    (lambda: tl.cat([z(2, 3), z(3, 2)]), RuntimeError, r"cat.*\[2, 3\].*\[3, 2\]"),
    (lambda: tl.stack([z(2), z(3)]), RuntimeError, r"stack.*\(2,\), \(3,\)"),
    (lambda: z(5).split([2, 2]), RuntimeError, r"split.*\[2, 2\].*5"),
    (lambda: z(5).split(0), RuntimeError, "split.*above 0"),
    (lambda: z(5).chunk(0), RuntimeError, "chunk.*above 0"),
    (lambda: z(2, 3).repeat(2), RuntimeError, "repeat.*fewer"),
    (lambda: z(2, 3).movedim((0, 1), 0), RuntimeError, "movedim"),
    (lambda: z(2, 3).gather(1, t([[5]])), IndexError, "gather.*5.*size 3"),
    (lambda: z(2, 3).gather(1, t([[-1]])), IndexError, "gather.*-1"),
    (lambda: z(2, 3).gather(0, t([0])), RuntimeError, "gather.*does not fit"),
    (lambda: z(2, 3).gather(0, t([[0.0]])), IndexError, "whole numbers"),
    (lambda: z(3).scatter(0, t([0, 1]), z(1)), RuntimeError, "scatter.*smaller"),
    (lambda: z(3).index_select(0, t([3])), IndexError, "index_select.*3"),
    (lambda: z(3).index_add(0, t([0]), z(2)), RuntimeError, "index_add.*does not fit"),
    (lambda: z(3).masked_select(t([0, 1, 0])), RuntimeError, "bools"),
    (lambda: tl.tril(z(3)), RuntimeError, "at least 2 dimensions"),
    (lambda: tl.diag(z(1, 1, 1)), RuntimeError, "diag.*1 or 2"),
    (lambda: tl.pad(z(3), (1,)), RuntimeError, "pad.*pairs"),
    (lambda: tl.pad(z(1, 3), (4, 0), mode="reflect"), RuntimeError, "reflect"),
    (lambda: tl.pad(z(3), (1, 1), mode="mirror"), ValueError, "mirror"),
    (lambda: z(3).topk(4), RuntimeError, "topk.*4"),
    (lambda: tl.one_hot(t([3]), 2), IndexError, "one_hot.*3.*2 classes"),
    (lambda: tl.bincount(t([-1])), RuntimeError, "bincount"),
    (lambda: z(0).long().median(), RuntimeError, "median.*no element to choose"),
    (lambda: z(0).amax(), RuntimeError, "amax"),
    (lambda: 3 @ z(2, 2), TypeError, "matmul.*not int and Tensor"),
    (lambda: tl.mm(z(2), z(2, 2)), RuntimeError, "mm: needs tensors of 2 and 2"),
    (lambda: tl.bmm(z(2, 1, 1), z(3, 1, 1)), RuntimeError, "bmm.*2.*3"),
    (lambda: tl.dot(z(2), z(3)), RuntimeError, r"\(2,\).*\(3,\)"),
    (lambda: tl.einsum("ij,jk->ik", z(2, 3)), RuntimeError, "einsum.*2 operands, 1"),
    (lambda: tl.einsum("ij,jk->ik", z(2, 3), z(4, 2)), RuntimeError, "einsum.*'j'.*3.*4"),
    (lambda: tl.einsum("ij->ik", z(2, 3)), RuntimeError, "einsum.*output"),
    (lambda: tl.einsum("ijk->i", z(2, 3)), RuntimeError, "einsum: operand 0"),
    (lambda: tl.tensordot(z(2, 3), z(2, 3), 1), RuntimeError, "tensordot"),
    (lambda: tl.inv(z(2, 2)), RuntimeError, "inv.*singular"),
    (lambda: tl.cholesky(t([[-1.0]])), RuntimeError, "cholesky.*positive definite"),
    (lambda: tl.linalg.norm(z(2, 2), "frob"), ValueError, "frob"),
    (lambda: tl.floor_divide(t([1]), 0), RuntimeError, "floor_divide.*divided by zero"),
    (lambda: t([4]) % t([0]), RuntimeError, "remainder.*divided by zero"),
    (lambda: F.softmax([1.0, 2.0], 0), TypeError, "softmax: takes tensors and arrays, not list"),
    (lambda: tl.logsumexp([1.0]), TypeError, "logsumexp: takes tensors and arrays, not list"),
    (lambda: F.cross_entropy([[1.0]], t([0])), TypeError, "cross_entropy: takes tensors"),
    (lambda: tl.var(3.0), TypeError, "takes tensors and arrays, not float"),
    (lambda: tl.matmul(z(2, 2), [1.0]), TypeError, "matmul: the factors are tensors"),
    (lambda: tl.einsum(z(2), "i->"), TypeError, "equation comes first"),
    (lambda: tl.addmm(t([[1]]), t([[1]]), t([[1]]), beta=0.5), RuntimeError, "addmm.*int64.*0.5"),
    (lambda: z(2).scatter(0, t([0]), tl.zeros(1, dtype=tl.float64)), RuntimeError, "scatter.*float64.*float32"),
    (lambda: z(2).masked_fill(t([True, False]), z(1)), RuntimeError, "masked_fill.*one number"),
    (lambda: tl.roll(z(2, 2), (1, 2), 0), RuntimeError, "roll.*as many"),
    (lambda: tl.cat([z(2), None]), TypeError, "cat.*NoneType"),
    (lambda: tl.arange(0, -3, 1), RuntimeError, "arange: no steps of 1 lead from 0 to -3"),
    (lambda: tl.linspace(z(2), 1, 3), RuntimeError, "linspace.*numbers"),
    (lambda: tl.zeros(2, device="cuda"), RuntimeError, "device 'cuda'.*cpu"),
    (lambda: z(2).to("mps"), RuntimeError, "device 'mps'.*cpu"),
    (lambda: tl.softmax(z(2), 0, out=z(2)), TypeError, "softmax: out= is not taken"),
    (lambda: tl.var(z(2), out=z(2)), TypeError, "var: out= is not taken"),
    (lambda: F.interpolate(z(1, 1, 2), 4, mode="bilinear"), NotImplementedError, "bilinear needs.*4 dim"),
    (lambda: F.interpolate(z(1, 1, 2), 4, align_corners=True), ValueError, "align_corners"),
    (lambda: F.avg_pool2d(z(1, 1, 4, 4), 2, padding=-1), RuntimeError, "avg_pool2d.*less than 0"),
    (lambda: F.conv1d(z(1, 1, 4), tl.ones(1, 1, 2, dtype=tl.float64)), RuntimeError, "conv1d|conv2d.*one dtype"),
    (lambda: F.cross_entropy(z(2, 3), t([0, 3])), IndexError, "target 3 is out of bounds for 3 classes"),
    (lambda: F.cross_entropy(z(2, 3), t([0, -1])), IndexError, "target -1"),
    (lambda: F.cross_entropy(z(2, 3), z(2)), TypeError, "whole numbers"),
    (lambda: F.cross_entropy(z(2, 3), z(3, 2)), ValueError, r"\(2, 3\).*\(2,\).*\(3, 2\)"),
    (lambda: F.cross_entropy(z(2, 3), t([0, 1]), label_smoothing=2.0), ValueError, "label_smoothing"),
    (lambda: F.mse_loss(z(2), z(2), reduction="max"), ValueError, "max is not a valid value for reduction"),
    (lambda: F.binary_cross_entropy(t([2.0]), t([1.0])), RuntimeError, "outside"),
    (lambda: F.embedding(t([4]), z(4, 2)), IndexError, "embedding: index 4"),
    (lambda: F.embedding(t([0.5]), z(4, 2)), TypeError, "whole numbers"),
    (lambda: F.dropout(z(2), -0.1), ValueError, "dropout.*-0.1"),
    (lambda: F.layer_norm(z(2, 3), (2,)), RuntimeError, r"layer_norm.*\(2, 3\).*\(2,\)"),
    (lambda: F.group_norm(z(2, 3, 1), 2), RuntimeError, "3 channels.*2 groups"),
    (lambda: F.batch_norm(z(1, 3), training=True), ValueError, "more than one value"),
    (lambda: F.glu(z(3)), RuntimeError, "glu.*halved"),
    (lambda: F.gelu(z(3), approximate="erf"), ValueError, "gelu.*erf"),
    (lambda: F.conv2d(z(1, 2, 3, 3), z(1, 3, 2, 2)), RuntimeError, "conv2d.*channels"),
    (lambda: F.conv2d(z(1, 1, 2, 2), z(1, 1, 3, 3)), RuntimeError, "conv2d.*larger"),
    (lambda: F.conv2d(z(2, 2), z(1, 1, 1, 1)), RuntimeError, "conv2d.*4 dimensions"),
    (lambda: F.max_pool2d(z(1, 1, 4, 4), 2, padding=2), RuntimeError, "max_pool2d.*half"),
    (lambda: F.fold(z(1, 4, 3), (3, 3), 2), RuntimeError, "fold.*windows"),
    (lambda: F.interpolate(z(1, 1, 2)), ValueError, "either size or scale_factor"),
    (lambda: F.scaled_dot_product_attention(z(2, 3), z(2, 4), z(2, 4)), RuntimeError, "do not fit"),
    (lambda: F.gumbel_softmax(z(2), tau=0.0), ValueError, "tau is above 0"),
    (lambda: t(["a"]), (TypeError, ValueError), "numbers"),
    (lambda: t([[1.0], [1.0, 2.0]]), ValueError, "common shape"),
    (lambda: tl.from_numpy([1.0]), TypeError, "numpy array, not list"),
    (lambda: tl.from_numpy(np.array(["a"])), TypeError, "real numbers"),
    (lambda: tl.arange(0, 1, 0), RuntimeError, "step"),
    (lambda: tl.linspace(0, 1, -1), RuntimeError, "steps"),
    (lambda: tl.randint(3, 3, (2,)), RuntimeError, "no number"),
    (lambda: tl.bernoulli(t([2.0])), RuntimeError, "outside"),
    (lambda: tl.multinomial(t([0.0, 1.0]), 2), RuntimeError, "without replacement"),
    (lambda: tl.normal(0.0, -1.0, (2,)), RuntimeError, "std"),
]


ERRORS += [
    (lambda: z(2, 3).T.view(-1), RuntimeError, r"view: .*\(3, 2\).*reshape"),
    (lambda: z(2, 3).view(np.dtype("int32")), TypeError, "view: takes a shape, not int32"),
    (lambda: z(2, 3).reshape(-2, 3), RuntimeError, "reshape: a size is at least 0.*-2"),
    (lambda: z(2, 3).reshape(4), RuntimeError, "reshape.*6 elements"),
    (lambda: z(2, 3)[t([1, 0, 1], dtype=tl.uint8)], IndexError, r"getitem.*bool\[3\].*a mask of size 3 does not match dimension 0 of size 2"),
    (lambda: z(2, 3)[t([], dtype=tl.bool)], IndexError, "getitem.*mask"),
    (lambda: z(2, 3)[0, 0, 0], IndexError, "3 indices are too many for 2 dimensions"),
    (lambda: tl.where(z(2), z(2), z(2)), RuntimeError, "where.*the condition holds bools, not float32"),
    (lambda: tl.Tensor(2.5), TypeError, "Tensor: takes sizes"),
    (lambda: tl.LongTensor(z(2)), TypeError, r"LongTensor: of a tensor of float32 say .to"),
    *[(make, RuntimeError, "does not hold") for make in (
        lambda: tl.full((2,), np.nan, dtype=tl.int64), lambda: tl.full((2,), 300, dtype=tl.uint8), lambda: t([300], dtype=tl.uint8), lambda: t(np.nan, dtype=tl.int64), lambda: tl.full((2,), 1e40),
        lambda: tl.full_like(z(2).byte(), -256), lambda: z(2).byte().fill_(300), lambda: z(2).byte().masked_fill(z(2) == 0, 300), lambda: z(2).long().new_full((2,), np.inf))],
    (lambda: tl.exp(z(2), out=z(2)), TypeError, r"exp: out= is not taken.*out.copy_\(exp"),
    (lambda: tl.mul(z(2), z(2), out=z(2)), TypeError, "mul: out= is not taken"),
    (lambda: tl.det(z(2, 2).half()), TypeError, r"det\(float16.*\.float\(\)"),
    (lambda: z(2, 3) @ z(2, 3), RuntimeError, r"matmul.*inner sizes 3 and 2"),
    (lambda: tl.sigmoid([1.0]), TypeError, "sigmoid.*not list"),
    (lambda: F.linear(z(2, 3), [[1.0]]), TypeError, "linear: takes tensors and arrays, not list"),
    (lambda: tl.allclose(z(2), 1.0), TypeError, "isclose: compares tensors and arrays, not float"),
    (lambda: tl.one_hot(t([-1])), RuntimeError, "one_hot.*at least 0, not -1"),
    (lambda: tl.one_hot(z(0).long()), RuntimeError, "one_hot.*num_classes"),
    (lambda: F.pad(z(2, 3), 1), TypeError, "pad.*in a tuple, not one int"),
    (lambda: tl.cat(z(2, 3)), TypeError, "cat: takes a list or tuple"),
    (lambda: t(1.0).split(1), RuntimeError, "split: a tensor of no dimensions"),
    (lambda: t(1.0).max(1), IndexError, "max: dimension out of range"),
    (lambda: F.batch_norm(z(2, 3)), RuntimeError, "batch_norm: running_mean and running_var"),
    (lambda: F.batch_norm(z(2, 3), z(2), z(2)), RuntimeError, r"batch_norm: running_mean of shape \(2,\).*3 channels"),
    (lambda: F.cross_entropy(z(2, 3), t([0, 1]), z(2)), RuntimeError, "cross_entropy: the weight.*3 classes"),
    (lambda: F.scaled_dot_product_attention(z(4, 1, 1), z(3, 1, 1), z(3, 1, 1), enable_gqa=True), RuntimeError, "enable_gqa"),
    (lambda: F.multi_head_attention(z(1, 2, 4), *[z(4, 4)] * 4, 2.0), TypeError, "n_heads is a whole number, not 2.0"),
    (lambda: G.generate(lambda s: z(4), 0, 3), TypeError, "generate: start is a sequence of tokens"),
    (lambda: G.generate(lambda s: z(4), [0], 1.5), TypeError, "generate: max_new_tokens is a whole number, not 1.5"),
    (lambda: G.top_k_sample(z(4), 1.5), TypeError, "top_k: k is a whole number, not 1.5"),
    (lambda: G.beam_search(lambda s: z(4), 0, beam_size=2.5), TypeError, "beam_search: beam_size is a whole number, not 2.5"),
    (lambda: tl.randint(size=(2,)), TypeError, "randint: takes the number to stay below"),
    (lambda: tl.arange(), TypeError, "arange"),
]


@pytest.mark.parametrize("wrong, kind, message", ERRORS)
def test_bad_input_gets_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()


NUMPYS_WORDS = re.compile(r"ufunc|could not be broadcast|\baxis\b|axes|cannot reshape array|zero-size array|unsupported operand|umath|newaxis|"
                          r"has no attribute|setting an array element|object is not|not supported between|cannot be interpreted|NoneType, ")
MUTANTS = {"a list": lambda a: a.tolist(), "a word": lambda a: "a", "no elements": lambda a: a[..., :0], "no dimensions": lambda a: a.reshape(-1)[:1].reshape(()),
           "more dimensions": lambda a: a[None], "fewer dimensions": lambda a: a[0], "longer": lambda a: np.concatenate([a, a, a], -1)}


@pytest.mark.parametrize("name, function, row", ROWS)
def test_what_does_not_fit_is_told_in_words_of_this_library(name, function, row):
    for sample in row.samples:
        tensors = [tl.tensor(np.asarray(a)) if isinstance(a, np.ndarray) else a for a in sample.args]
        for place, a in enumerate(sample.args):
            for mutant in MUTANTS.values() if isinstance(a, np.ndarray) and a.ndim and a.size else ():
                new = mutant(np.asarray(a))
                args = [*tensors[:place], tl.tensor(new) if isinstance(new, np.ndarray) else new, *tensors[place + 1 :]]
                try:
                    function(*args, **sample.kwargs)
                except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
                    assert re.match(r"[\w.]+(\(|: )", str(error)) and not NUMPYS_WORDS.search(str(error)), error

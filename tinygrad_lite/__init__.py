"""tinygrad_lite: one numpy Tensor with a reverse-mode tape, and PyTorch's names.

    import tinygrad_lite as tl
    x = tl.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                           # tensor([2., 4.])

help(tl.Tensor), help(tl.softmax): each name has an example. tl.nn and tl.optim have layers and optimizers, tl.func the
derivatives of functions; tl.tape, tl.draw and tl.explore show what was computed, tl.compile and tl.derive make numpy
programs of it. The engine is tinygrad_lite/engine/tape.py.
"""

import typing as _typing

import numpy as _np

from . import (
    autograd,
    compat,
    data,
    distributions,
    estimators,
    func,
    linalg,
    nn,
    ops,
    optim,
    random,
    sparse,
    testing,
)
from .checkpointing import checkpoint, replayed
from .compiler import compile
from .creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from .devices import (
    accelerator,
    amp,
    are_deterministic_algorithms_enabled,
    autocast,
    backends,
    cpu,
    cuda,
    get_default_device,
    get_float32_matmul_precision,
    is_autocast_enabled,
    mps,
    set_default_device,
    set_float32_matmul_precision,
    set_num_interop_threads,
    set_num_threads,
    use_deterministic_algorithms,
    xpu,
)
from .engine import return_types
from .engine.dtypes import result_type
from .engine.mode import enable_grad, expanded, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .engine.spellings import hinting as _hinting
from .engine.tape import by_hand, primitive
from .methods import (
    IN_PLACE,
    TYPED,
    allclose,
    broadcast_shapes,
    equal,
    get_device,
    is_complex,
    is_floating_point,
    is_nonzero,
    is_same_size,
    is_signed,
    is_tensor,
    isclose,
    numel,
    t,
)
from .nn.functional import (
    avg_pool1d,
    cdist,
    conv1d,
    conv2d,
    cosine_similarity,
    dropout,
    group_norm,
    layer_norm,
    max_pool1d,
    max_pool2d,
    pairwise_distance,
    rms_norm,
    selu,
)
from .ops import *  # noqa: F403
from .ops.arguments import device
from .random import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from .saving import load, save
from .settings import (
    Size,
    can_cast,
    finfo,
    get_default_dtype,
    iinfo,
    promote_types,
    set_default_dtype,
    set_printoptions,
)
from .sparse import sparse_coo_tensor
from .tensor import Tensor
from .textbook import derive
from .view import Tape, draw, explore, study

__version__ = "0.2.0"
bool, uint8, int8, int16, int32, int64, float16, float32, float64 = map(
    _np.dtype, ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"))
short, int, long, half, float, double = int16, int32, int64, float16, float32, float64
del svd  # type: ignore[name-defined]  # noqa: F821 - torch.svd gives v, tl.linalg.svd its transpose
globals().update(TYPED | IN_PLACE)
func.checkpoint = replayed
del replayed
autograd.checkpoint = checkpoint  # type: ignore[attr-defined]  # it draws numbers, which autograd does not know
tape = Tape  # tl.tape(loss); the engine is in tinygrad_lite.engine
inf, nan, pi, e, newaxis = _np.inf, _np.nan, _np.pi, _np.e, None
dtype = _np.dtype
if _typing.TYPE_CHECKING:
    from .vocabulary import *  # what `update` adds above
else:
    __getattr__ = _hinting(globals())

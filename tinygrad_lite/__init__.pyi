# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from . import autograd as autograd, compat as compat, data as data, distributions as distributions, estimators as estimators, func as func, linalg as linalg, nn as nn, ops as ops, optim as optim, random as random, sparse as sparse, testing as testing
from .checkpointing import checkpoint as checkpoint, replayed as replayed
from .compiler import compile as compile
from .creation import arange as arange, as_tensor as as_tensor, asarray as asarray, empty as empty, empty_like as empty_like, eye as eye, from_dlpack as from_dlpack, from_numpy as from_numpy, full as full, full_like as full_like, linspace as linspace, logspace as logspace, ones as ones, ones_like as ones_like, scalar_tensor as scalar_tensor, tensor as tensor, tril_indices as tril_indices, triu_indices as triu_indices, zeros as zeros, zeros_like as zeros_like
from .devices import accelerator as accelerator, amp as amp, are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled, autocast as autocast, backends as backends, cpu as cpu, cuda as cuda, get_default_device as get_default_device, get_float32_matmul_precision as get_float32_matmul_precision, is_autocast_enabled as is_autocast_enabled, mps as mps, set_default_device as set_default_device, set_float32_matmul_precision as set_float32_matmul_precision, set_num_interop_threads as set_num_interop_threads, set_num_threads as set_num_threads, use_deterministic_algorithms as use_deterministic_algorithms, xpu as xpu
from .engine import return_types as return_types
from .engine.dtypes import result_type as result_type
from .engine.mode import enable_grad as enable_grad, expanded as expanded, inference_mode as inference_mode, is_grad_enabled as is_grad_enabled, no_grad as no_grad, set_grad_enabled as set_grad_enabled
from .engine.tape import by_hand as by_hand, primitive as primitive
from .methods import IN_PLACE as IN_PLACE, TYPED as TYPED, allclose as allclose, broadcast_shapes as broadcast_shapes, equal as equal, get_device as get_device, is_complex as is_complex, is_floating_point as is_floating_point, is_nonzero as is_nonzero, is_same_size as is_same_size, is_signed as is_signed, is_tensor as is_tensor, isclose as isclose, numel as numel, t as t
from .nn.functional import avg_pool1d as avg_pool1d, cdist as cdist, conv1d as conv1d, conv2d as conv2d, cosine_similarity as cosine_similarity, dropout as dropout, group_norm as group_norm, layer_norm as layer_norm, max_pool1d as max_pool1d, max_pool2d as max_pool2d, pairwise_distance as pairwise_distance, rms_norm as rms_norm, selu as selu
from .ops import *
from .ops.arguments import device as device
from .random import Generator as Generator, bernoulli as bernoulli, default_generator as default_generator, get_rng_state as get_rng_state, initial_seed as initial_seed, manual_seed as manual_seed, multinomial as multinomial, normal as normal, rand as rand, rand_like as rand_like, randint as randint, randint_like as randint_like, randn as randn, randn_like as randn_like, randperm as randperm, seed as seed, set_rng_state as set_rng_state
from .saving import load as load, save as save
from .settings import Size as Size, can_cast as can_cast, finfo as finfo, get_default_dtype as get_default_dtype, iinfo as iinfo, promote_types as promote_types, set_default_dtype as set_default_dtype, set_printoptions as set_printoptions
from .sparse import sparse_coo_tensor as sparse_coo_tensor
from .tensor import Tensor as Tensor
from .textbook import derive as derive
from .view import Tape as Tape, draw as draw, explore as explore, study as study
bool: _np.dtype[_typing.Any]
uint8: _np.dtype[_typing.Any]
int8: _np.dtype[_typing.Any]
int16: _np.dtype[_typing.Any]
int32: _np.dtype[_typing.Any]
int64: _np.dtype[_typing.Any]
float16: _np.dtype[_typing.Any]
float32: _np.dtype[_typing.Any]
float64: _np.dtype[_typing.Any]
short: _np.dtype[_typing.Any]
int: _np.dtype[_typing.Any]
long: _np.dtype[_typing.Any]
half: _np.dtype[_typing.Any]
float: _np.dtype[_typing.Any]
double: _np.dtype[_typing.Any]
tape = Tape
inf: _Float
nan: _Float
pi: _Float
e: _Float
newaxis: _typing.Any
from numpy import dtype as dtype
from .vocabulary import *

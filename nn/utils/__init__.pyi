# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from tinygrad_lite.tensor import Tensor as Tensor

from . import parametrizations as parametrizations, parametrize as parametrize, rnn as rnn
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: Float, foreach: Bool | None = ...) -> None: ...
def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: Float, total_norm: Any, foreach: Bool | None = ...) -> None: ...
def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: Float = ..., error_if_nonfinite: Bool = ..., foreach: Bool | None = ...) -> Tensor: ...
from .clip_grad import clip_grad_norm_ as clip_grad_norm_
from .convert_parameters import parameters_to_vector as parameters_to_vector, vector_to_parameters as vector_to_parameters
from .parametrizations import remove_norm as remove_norm
remove_spectral_norm = remove_norm
from .parametrizations import remove_norm as remove_norm
remove_weight_norm = remove_norm
from .parametrizations import spectral_norm_by_name as spectral_norm_by_name
spectral_norm = spectral_norm_by_name
from .parametrizations import weight_norm_by_name as weight_norm_by_name
weight_norm = weight_norm_by_name

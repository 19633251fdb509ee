# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from . import parametrizations as parametrizations, parametrize as parametrize, rnn as rnn
from .clip_grad import clip_grad_norm_ as clip_grad_norm_, clip_grad_value_ as clip_grad_value_, clip_grads_with_norm_ as clip_grads_with_norm_, get_total_norm as get_total_norm
from .convert_parameters import parameters_to_vector as parameters_to_vector, vector_to_parameters as vector_to_parameters
from .parametrizations import remove_norm as remove_spectral_norm
from .parametrizations import remove_norm as remove_weight_norm
from .parametrizations import spectral_norm_by_name as spectral_norm
from .parametrizations import weight_norm_by_name as weight_norm

"""What training loops need around modules: PyTorch's torch.nn.utils."""

from . import parametrizations, parametrize, rnn
from .clip_grad import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters
from .parametrizations import remove_norm as remove_spectral_norm
from .parametrizations import remove_norm as remove_weight_norm
from .parametrizations import spectral_norm_by_name as spectral_norm
from .parametrizations import weight_norm_by_name as weight_norm

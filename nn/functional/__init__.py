"""Functions of neural networks: PyTorch's torch.nn.functional."""

import typing as _typing

from tinygrad_lite import ops
from tinygrad_lite.engine import spellings
from tinygrad_lite.ops import logsumexp, one_hot, pad, sigmoid, tanh

from .activation import *
from .attention import (
    attention,
    causal_mask,
    multi_head_attention,
    multi_head_attention_forward,
    scaled_dot_product_attention,
)
from .convolution import *
from .dropouts import *
from .interpolation import *
from .layer import *
from .loss import *
from .margins import *
from .normalization import *
from .pooling import *
from .recurrent import gru, lstm, rnn_relu, rnn_tanh
from .shuffling import *
from .similarity import cosine_sim_matrix, cosine_top_k

spellings.spell(globals())
stable_softmax = ops.softmax  # numpy-style: stable_softmax(x, axis=-1)
if not _typing.TYPE_CHECKING:  # to whom all names are known
    __getattr__ = spellings.hinting(globals())

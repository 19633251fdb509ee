"""Functions of neural networks: PyTorch's torch.nn.functional."""

from tinygrad_lite import inplace
from tinygrad_lite.engine import spellings
from tinygrad_lite.ops import log_softmax, logsumexp, one_hot, pad, relu, sigmoid, softmax, tanh

from .activation import (
    cdist,
    cosine_similarity,
    elu,
    gelu,
    glu,
    gumbel_softmax,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    normalize,
    pairwise_distance,
    selu,
    silu,
    softplus,
    softsign,
)
from .attention import (
    attention,
    causal_mask,
    multi_head_attention,
    multi_head_attention_forward,
    scaled_dot_product_attention,
)
from .convolution import conv1d, conv2d, conv_transpose2d, fold, unfold
from .interpolation import interpolate
from .layer import (
    batch_norm,
    dropout,
    embedding,
    group_norm,
    layer_norm,
    linear,
    rms_norm,
)
from .loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
    triplet_margin_loss,
)
from .pooling import adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from .similarity import cosine_sim_matrix, cosine_top_k

spellings.spell(globals())
relu, elu, selu, silu, mish, leaky_relu, hardtanh, dropout = map(
    inplace.may_be_in_place, (relu, elu, selu, silu, mish, leaky_relu, hardtanh, dropout))
stable_softmax = softmax  # numpy-style: stable_softmax(x, axis=-1)

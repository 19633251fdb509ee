"""Functions of neural networks: PyTorch's torch.nn.functional."""

from tinygrad_lite.engine import spellings
from tinygrad_lite.ops import log_softmax, logsumexp, one_hot, pad, sigmoid, softmax, tanh

from .activation import (
    cdist,
    celu,
    cosine_similarity,
    elu,
    gelu,
    glu,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    normalize,
    pairwise_distance,
    prelu,
    relu,
    relu6,
    rrelu,
    selu,
    silu,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from .attention import (
    attention,
    causal_mask,
    multi_head_attention,
    multi_head_attention_forward,
    scaled_dot_product_attention,
)
from .convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d, fold, unfold
from .dropouts import alpha_dropout, dropout, dropout1d, dropout2d, feature_alpha_dropout
from .interpolation import interpolate
from .layer import bilinear, embedding, embedding_bag, linear
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
)
from .margins import (
    cosine_embedding_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .normalization import batch_norm, group_norm, instance_norm, layer_norm, local_response_norm, rms_norm
from .pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    lp_pool1d,
    lp_pool2d,
    max_pool1d,
    max_pool2d,
    max_unpool1d,
    max_unpool2d,
)
from .shuffling import channel_shuffle, pixel_shuffle, pixel_unshuffle
from .similarity import cosine_sim_matrix, cosine_top_k

spellings.spell(globals())
stable_softmax = softmax  # numpy-style: stable_softmax(x, axis=-1)

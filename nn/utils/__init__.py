"""What training loops need around modules: PyTorch's torch.nn.utils."""

from . import rnn

# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from tinygrad_lite.tensor import Tensor as Tensor

from . import diffusion as diffusion, gan as gan, gpt as gpt, lenet as lenet, lstm as lstm, mlp as mlp, reinforce as reinforce, resnet as resnet, seq2seq as seq2seq, vae as vae, word2vec as word2vec
from .diffusion import Diffusion as Diffusion
from .gan import GAN as GAN
from .gpt import GPT as GPT, GPTConfig as GPTConfig
from .lenet import LeNet as LeNet
from .lstm import CharLSTM as CharLSTM
from .mlp import MLP as MLP
from .reinforce import CartPole as CartPole, Reinforce as Reinforce
from .resnet import ResNet as ResNet
from .seq2seq import Seq2Seq as Seq2Seq
from .task import Task as Task, train as train
from .vae import VAE as VAE
from .word2vec import Word2Vec as Word2Vec
TASKS: Any

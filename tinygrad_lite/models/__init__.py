"""Models, a file each, and how each is trained: `tinygrad-lite train gpt`.

    from tinygrad_lite.models import GPT, GPTConfig
"""

from . import diffusion, gan, gpt, lenet, lstm, mlp, reinforce, resnet, seq2seq, vae, word2vec
from .diffusion import Diffusion
from .gan import GAN
from .gpt import GPT, GPTConfig
from .lenet import LeNet
from .lstm import CharLSTM
from .mlp import MLP
from .reinforce import CartPole, Reinforce
from .resnet import ResNet
from .seq2seq import Seq2Seq
from .task import Task, train
from .vae import VAE
from .word2vec import Word2Vec

TASKS = {module.Task.name: module.Task for module in (
    mlp, lenet, resnet, gpt, lstm, seq2seq, word2vec, vae, gan, diffusion, reinforce)}

"""Actor-critic on a bandit with a context: value baseline with Huber loss, entropy bonus, advantages, a namedtuple."""

from collections import namedtuple

import numpy as np
import torch
from torch import nn, optim
from torch.distributions import Categorical, Normal, kl_divergence
from torch.nn import functional as F

SavedAction = namedtuple("SavedAction", ["log_prob", "value", "entropy"])


class ActorCritic(nn.Module):
    """Both the actor and the critic, on a common layer; a Gaussian head sets a stake."""

    def __init__(self, num_inputs, num_actions, hidden_size, std=-0.5):
        super().__init__()
        self.common = nn.Sequential(nn.Linear(num_inputs, hidden_size), nn.Tanh())
        self.actor = nn.Linear(hidden_size, num_actions)
        self.stake = nn.Linear(hidden_size, 1)
        self.critic = nn.Linear(hidden_size, 1)
        self.log_std = nn.Parameter(torch.ones(1) * std)
        self.apply(self._init_weights)

    @staticmethod
    def _init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.orthogonal_(m.weight, gain=0.5)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.common(x)
        mu, value = self.stake(x), self.critic(x)
        std = self.log_std.exp().expand_as(mu)
        return Categorical(logits=self.actor(x)), Normal(mu, std), value.squeeze(-1)


def build():
    return ActorCritic(4, 3, 32)


def train(model, steps=20, batch_size=64):
    rng = np.random.RandomState(0)
    optimizer = optim.RMSprop(model.parameters(), lr=5e-3, alpha=0.99, eps=1e-3)
    losses = []
    for step in range(steps):
        state = torch.as_tensor(rng.randn(batch_size, 4), dtype=torch.float32)
        policy, stake, value = model(state)
        draws = torch.as_tensor(rng.rand(batch_size, 1), dtype=torch.float32)
        action = (policy.probs.detach().cumsum(-1) < draws).sum(-1).clamp(max=2)
        size = stake.mean.detach() + stake.stddev.detach() * torch.as_tensor(rng.randn(batch_size, 1), dtype=torch.float32)
        with torch.no_grad():
            best = state[:, :3].argmax(1)
            reward = (action == best).float() - 0.1 * (size.squeeze(1) - 1) ** 2

        saved = SavedAction(policy.log_prob(action) + stake.log_prob(size).sum(-1), value, policy.entropy().mean())
        advantage = reward - saved.value.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std(unbiased=False) + 1e-8)
        actor_loss = -(saved.log_prob * advantage).mean()
        critic_loss = F.smooth_l1_loss(saved.value, reward)
        loss = actor_loss + 0.5 * critic_loss - 0.01 * saved.entropy
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5, norm_type=2)
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(1)
    model = build()
    before = model(torch.eye(4))[0]
    train(model, 400)
    state = torch.randn(500, 4)
    policy, stake, value = model(state)
    hits = (policy.sample() == state[:, :3].argmax(dim=1)).float().mean().item()
    moved = kl_divergence(before, model(torch.eye(4))[0]).mean()
    print(f"hits {hits:.2f}, stake {stake.mean.mean():.2f} +- {model.log_std.exp().item():.2f}, moved {moved.item():.2f}")
    print("learned" if hits > 0.6 else "not learned")

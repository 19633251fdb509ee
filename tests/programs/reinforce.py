"""REINFORCE on a corridor: an environment in the file, rewards to go made whole, log probabilities summed."""

import argparse
from collections import deque
from itertools import count

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

args = argparse.Namespace(gamma=0.95, seed=543, log_interval=50)
eps = np.finfo(np.float32).eps.item()


class Corridor:
    """Seven cells: walk to the right end within 20 steps; the state is one-hot."""

    def reset(self, start=3):
        self.position, self.time = start, 0
        return self._state(), {}

    def _state(self):
        return np.eye(7, dtype=np.float32)[self.position]

    def step(self, action):
        self.position = max(0, self.position + (1 if action == 1 else -1))
        self.time += 1
        terminated, truncated = self.position == 6, self.time >= 20
        return self._state(), (1.0 if terminated else -0.05), terminated, truncated, {}


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(7, 32)
        self.dropout = nn.Dropout(p=0.0)
        self.affine2 = nn.Linear(32, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.dropout(self.affine1(x)))
        return F.softmax(self.affine2(x), dim=1)


def select_action(policy, state, draw=None):
    state = torch.from_numpy(state).float().unsqueeze(0)
    m = Categorical(policy(state))
    action = m.sample() if draw is None else (draw > m.probs[:, 0].detach()).long()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode(policy, optimizer):
    R = 0
    returns = deque()
    for r in policy.rewards[::-1]:
        R = r + args.gamma * R
        returns.appendleft(R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    policy_loss = [-log_prob * R for log_prob, R in zip(policy.saved_log_probs, returns)]
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    return policy_loss.item()


def build():
    return Policy()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    env, optimizer = Corridor(), optim.Adam(model.parameters(), lr=1e-2)
    losses, running_reward = [], 0
    for i_episode in range(steps):
        state, _ = env.reset()
        for t in count():
            action = select_action(model, state, rng.rand())
            state, reward, terminated, truncated, _ = env.step(action)
            model.rewards.append(reward)
            if terminated or truncated:
                break
        running_reward = 0.05 * sum(model.rewards) + (1 - 0.05) * running_reward
        losses.append(finish_episode(model, optimizer))
        if (i_episode + 1) % args.log_interval == 0:
            print(f"Episode {i_episode + 1}\tLast length: {t + 1}\tAverage reward: {running_reward:.2f}")
    return losses


if __name__ == "__main__":
    torch.manual_seed(args.seed)
    policy = build()
    train(policy, 150)
    right = policy(torch.eye(7))[:, 1]
    print("chance to walk to the right:", right)
    print("learned" if (right[2:6] > 0.7).all() else "not learned")

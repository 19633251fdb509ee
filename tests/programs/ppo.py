"""Proximal policy optimization of a point that is pushed to the middle: GAE, clipped ratios, minibatches by a sampler."""

import numpy as np
import torch
import torch.nn as nn
from torch.distributions.normal import Normal
from torch.utils.data.sampler import BatchSampler, SequentialSampler, SubsetRandomSampler


def layer_init(layer, std=np.sqrt(2), bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self, n_obs, n_act):
        super().__init__()
        self.critic = nn.Sequential(layer_init(nn.Linear(n_obs, 32)), nn.Tanh(), layer_init(nn.Linear(32, 1), std=1.0))
        self.actor_mean = nn.Sequential(layer_init(nn.Linear(n_obs, 32)), nn.Tanh(), layer_init(nn.Linear(32, n_act), std=0.01))
        self.actor_logstd = nn.Parameter(torch.zeros(1, n_act))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None, noise=None):
        action_mean = self.actor_mean(x)
        action_std = torch.exp(self.actor_logstd.expand_as(action_mean))
        probs = Normal(action_mean, action_std)
        if action is None:
            action = probs.sample() if noise is None else (action_mean + action_std * noise).detach()
        return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)


class Points:
    """Eight points at once on a line: position and speed; the reward is for being near 0."""

    def __init__(self, rng, n=8):
        self.rng, self.n = rng, n
        self.state = rng.uniform(-1, 1, (n, 2)).astype(np.float32)

    def step(self, push):
        self.state[:, 1] = 0.8 * self.state[:, 1] + 0.2 * np.clip(push, -1, 1)
        self.state[:, 0] += 0.3 * self.state[:, 1]
        done = (np.abs(self.state[:, 0]) > 2) | (self.rng.rand(self.n) < 0.05)
        reward = -np.square(self.state[:, 0])
        self.state[done] = self.rng.uniform(-1, 1, (int(done.sum()), 2))
        return self.state.copy(), reward, done


def build():
    return Agent(2, 1)


def train(model, steps=20, T=16, gamma=0.9, lam=0.95, clip_coef=0.2, sampler=SequentialSampler):
    rng = np.random.RandomState(0)
    env = Points(rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, eps=1e-5)
    next_obs, next_done = torch.Tensor(env.state.copy()), torch.zeros(env.n)
    obs, actions = torch.zeros((T, env.n) + (2,)), torch.zeros((T, env.n, 1))
    logprobs, rewards, dones, values = (torch.zeros((T, env.n)) for _ in range(4))
    losses = []
    for update in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = (1.0 - (update - 1.0) / steps) * 3e-3
        for t in range(T):
            obs[t], dones[t] = next_obs, next_done
            with torch.no_grad():
                action, logprob, _, value = model.get_action_and_value(next_obs, noise=torch.Tensor(rng.randn(env.n, 1)))
                values[t] = value.flatten()
            actions[t], logprobs[t] = action, logprob
            there, reward, done = env.step(action.cpu().numpy()[:, 0])
            rewards[t] = torch.tensor(reward).view(-1)
            next_obs, next_done = torch.Tensor(there), torch.Tensor(done)
        with torch.no_grad():
            next_value = model.get_value(next_obs).reshape(1, -1)
            advantages, lastgaelam = torch.zeros_like(rewards), 0
            for t in reversed(range(T)):
                nonterminal = 1.0 - (next_done if t == T - 1 else dones[t + 1])
                nextvalues = next_value if t == T - 1 else values[t + 1]
                delta = rewards[t] + gamma * nextvalues * nonterminal - values[t]
                advantages[t] = lastgaelam = delta + gamma * lam * nonterminal * lastgaelam
            returns = advantages + values
        b_obs, b_actions = obs.reshape(-1, 2), actions.reshape((-1,) + (1,))
        b_logprobs, b_adv, b_returns = logprobs.reshape(-1), advantages.reshape(-1), returns.reshape(-1)
        for inds in BatchSampler(sampler(range(T * env.n)), 64, drop_last=False):
            _, newlogprob, entropy, newvalue = model.get_action_and_value(b_obs[inds], b_actions[inds])
            ratio = (newlogprob - b_logprobs[inds]).exp()
            adv = b_adv[inds]
            adv = (adv - adv.mean()) / (adv.std() + 1e-8)
            pg_loss = torch.max(-adv * ratio, -adv * torch.clamp(ratio, 1 - clip_coef, 1 + clip_coef)).mean()
            v_loss = 0.5 * ((newvalue.view(-1) - b_returns[inds]) ** 2).mean()
            loss = pg_loss - 0.001 * entropy.mean() + v_loss * 0.5
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    agent = build()
    train(agent, 60, sampler=SubsetRandomSampler)
    with torch.inference_mode():
        left, right = agent.actor_mean(torch.tensor([[-1.0, 0.0], [1.0, 0.0]])).squeeze(1).tolist()
    print(f"push at -1: {left:+.2f}, at 1: {right:+.2f}, spread {agent.actor_logstd.exp().item():.2f}")
    print("learned" if left > 0.3 and right < -0.3 else "not learned")

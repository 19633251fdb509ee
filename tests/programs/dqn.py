"""Deep Q-learning on a small grid: replay memory, a policy net and a target net, epsilon-greedy, smooth L1."""

import math
import random
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

device = torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))
BATCH_SIZE, GAMMA, EPS_START, EPS_END, EPS_DECAY, TAU, LR = 32, 0.9, 0.9, 0.05, 200, 0.05, 3e-3
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


class ReplayMemory(object):
    def __init__(self, capacity):
        self.memory = deque([], maxlen=capacity)

    def push(self, *args):
        """Save a transition"""
        self.memory.append(Transition(*args))

    def sample(self, batch_size):
        return random.sample(self.memory, batch_size)

    def __len__(self):
        return len(self.memory)


class DQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super(DQN, self).__init__()
        self.layer1 = nn.Linear(n_observations, 32)
        self.layer2 = nn.Linear(32, 32)
        self.layer3 = nn.Linear(32, n_actions)

    def forward(self, x):
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        return self.layer3(x)


def build():
    model = nn.ModuleDict({"policy": DQN(2, 4), "target": DQN(2, 4)}).to(device)
    model["target"].load_state_dict(model["policy"].state_dict())
    return model


def move(cell, action):
    there = tuple(min(3, max(0, c + d)) for c, d in zip(cell, MOVES[action]))
    return there, (1.0 if there == (3, 3) else -0.02)


def as_state(cell):
    return torch.tensor(cell, dtype=torch.float32, device=device).div(3).unsqueeze(0)


def optimize_model(model, memory, optimizer):
    transitions = memory.sample(BATCH_SIZE)
    batch = Transition(*zip(*transitions))
    non_final_mask = torch.tensor(tuple(map(lambda s: s is not None, batch.next_state)), device=device, dtype=torch.bool)
    non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
    state_batch = torch.cat(batch.state)
    action_batch = torch.cat(batch.action)
    reward_batch = torch.cat(batch.reward)

    state_action_values = model["policy"](state_batch).gather(1, action_batch)
    next_state_values = torch.zeros(BATCH_SIZE, device=device)
    with torch.no_grad():
        next_state_values[non_final_mask] = model["target"](non_final_next_states).max(1).values
    expected = (next_state_values * GAMMA) + reward_batch

    criterion = nn.SmoothL1Loss()
    loss = criterion(state_action_values, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(model["policy"].parameters(), 100)
    optimizer.step()

    target_state, policy_state = model["target"].state_dict(), model["policy"].state_dict()
    for key in policy_state:
        target_state[key] = policy_state[key] * TAU + target_state[key] * (1 - TAU)
    model["target"].load_state_dict(target_state)
    return loss.item()


def train(model, steps=20):
    random.seed(0)
    memory, optimizer = ReplayMemory(1000), optim.AdamW(model["policy"].parameters(), lr=LR, amsgrad=True)
    cell, losses, steps_done = (0, 0), [], 0
    while len(losses) < steps:
        eps_threshold = EPS_END + (EPS_START - EPS_END) * math.exp(-1. * steps_done / EPS_DECAY)
        steps_done += 1
        if random.random() > eps_threshold:
            with torch.no_grad():
                action = model["policy"](as_state(cell)).max(1)[1].view(1, 1)
        else:
            action = torch.tensor([[random.randrange(4)]], device=device, dtype=torch.long)
        there, reward = move(cell, action.item())
        done = there == (3, 3)
        memory.push(as_state(cell), action, None if done else as_state(there), torch.tensor([reward], device=device))
        cell = (random.randrange(3), random.randrange(4)) if done else there
        if len(memory) >= BATCH_SIZE:
            losses.append(optimize_model(model, memory, optimizer))
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 500)
    cell, path = (0, 0), []
    while cell != (3, 3) and len(path) < 12:
        path.append(cell)
        cell, _ = move(cell, int(model["policy"](as_state(cell)).argmax()))
    print(" -> ".join(map(str, path + [cell])))
    print("learned" if cell == (3, 3) else "not learned")

"""Reinforce: a policy that learns from how well it did (Williams, 1992), to balance a pole on a cart."""

from pathlib import Path
from typing import Any

import numpy as np

from ..creation import tensor
from ..engine.mode import no_grad
from ..nn import functional as F
from ..tensor import Tensor
from ..view.plot import picture
from . import task
from .mlp import MLP

LIMIT = 500  # steps of an episode at most
GRAVITY, CART, POLE, HALF_LENGTH, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
FALLEN = np.array([2.4, np.inf, np.radians(12), np.inf])


class CartPole:
    """Carts with a pole each (Barto, Sutton & Anderson, 1983), many at once.

    `state` (N, 4) is (place, velocity, angle, angular velocity) of each; an action pushes to the left, 0, or to the
    right, 1. It is over where the cart is 2.4 m away, or the pole leans by 12 degrees. rng draws where they start.

    >>> from tinygrad_lite.models import CartPole
    >>> carts = CartPole(3, np.random.default_rng(0))
    >>> carts.step(np.array([1, 1, 0]))
    array([False, False, False])
    >>> carts.state.shape
    (3, 4)
    """

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        self.state = rng.uniform(-0.05, 0.05, (count, 4))

    def step(self, action: np.ndarray) -> np.ndarray:
        """Push each cart by its action (N,), for a fiftieth of a second; gives which are over (N,)."""
        _, velocity, angle, turning = self.state.T
        force = np.where(action == 1, FORCE, -FORCE)
        sin, cos, mass = np.sin(angle), np.cos(angle), CART + POLE
        push = (force + POLE * HALF_LENGTH * turning**2 * sin) / mass
        turn = (GRAVITY * sin - cos * push) / (HALF_LENGTH * (4 / 3 - POLE * cos**2 / mass))
        away = push - POLE * HALF_LENGTH * turn * cos / mass
        self.state = self.state + SECONDS * np.stack([velocity, away, turning, turn], 1)
        return np.any(np.abs(self.state) > FALLEN, axis=1)


class Reinforce(MLP):
    """A policy for `CartPole`: states (N, 4) give logits (N, 2) of the actions (Williams, 1992).

    hidden: the width of its hidden layer. `act` chooses the actions.

    >>> from tinygrad_lite.models import Reinforce
    >>> policy = Reinforce()
    >>> policy(tl.zeros(3, 4)).shape, policy.act(np.zeros((3, 4))).shape
    ((3, 2), (3,))
    """

    def __init__(self, hidden: int = 64) -> None:
        super().__init__(4, hidden, 2)

    def act(self, states: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Actions (N,) for states (N, 4): drawn with a generator, or without one the more probable."""
        with no_grad():
            logits = self(tensor(states)).array
        chance = 0.5 if rng is None else rng.random(len(states))
        return (F.sigmoid(tensor(logits[:, 1] - logits[:, 0])).array > chance).astype(np.int64)


class Task(task.Task):
    """A policy learns to balance a pole on a cart."""

    name = "reinforce"
    defaults = task.COMMON | {"batch_size": 16, "hidden": 64, "lr": 5e-3, "discount": 0.99, "entropy": 0.01}
    steps, unit = 150, " episodes"

    def make_model(self) -> Reinforce:
        return Reinforce(self.settings["hidden"])

    def play(self, rng: np.random.Generator, count: int, greedy: bool = False) -> tuple[np.ndarray, ...]:
        """count episodes, side by side: states (LIMIT, N, 4), actions (LIMIT, N), and which steps there were."""
        carts, alive = CartPole(count, rng), np.ones(count, bool)
        states, actions = np.zeros((LIMIT, count, 4), np.float32), np.zeros((LIMIT, count), np.int64)
        there = np.zeros((LIMIT, count), bool)
        for t in range(LIMIT):
            states[t], there[t] = carts.state, alive
            actions[t] = self.model.act(states[t], None if greedy else rng)
            alive = alive & ~carts.step(actions[t])
            if not alive.any():
                break
        return states, actions, there

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """States (LIMIT * N, 4), actions and advantages (LIMIT * N,), 0 after the end of an episode."""
        states, actions, there = self.play(rng, self.settings["batch_size"])
        returns, later = np.zeros(there.shape), np.zeros(there.shape[1])
        for t in reversed(range(LIMIT)):
            later = there[t] * (1 + self.settings["discount"] * later)  # each step that it stands is worth 1
            returns[t] = later
        advantages = np.where(there, (returns - returns[there].mean()) / (returns[there].std() + 1e-8), 0)
        scale = there.size / there.sum()  # the loss is a mean over all rows
        return (states.reshape(-1, 4), actions.ravel(), (scale * advantages).astype(np.float32).ravel(),
                (scale * there).astype(np.float32).ravel())

    def loss(self, batch: Any) -> Tensor:
        states, actions, advantages, there = batch  # (R, 4), (R,), (R,), (R,)
        logp = F.log_softmax(self.model(states), 1)  # (R, 2)
        entropy = -(logp.exp() * logp).sum(1)  # (R,)
        chosen = logp.gather(1, actions[:, None])[:, 0]
        return -(chosen * advantages + self.settings["entropy"] * there * entropy).mean()

    def result(self) -> dict[str, float]:
        """How many steps the pole stands, of 500, in 100 new episodes."""
        _, _, there = self.play(np.random.default_rng(1), 100, greedy=True)
        return {"steps it stands": float(there.sum(0).mean())}

    def draw(self, folder: Path) -> None:
        """angle.png: angle and place over time; policy.png: how probable a push to the right is."""
        states, _, there = self.play(np.random.default_rng(1), 5, greedy=True)
        shown = {"angle in degrees": np.degrees(states[:, :, 2]), "place in meters": states[:, :, 0]}
        with picture(folder / "angle.png", 2, 1, (9, 5)) as axes:
            for (ax,), (what, values) in zip(axes, shown.items()):
                ax.plot(SECONDS * np.arange(LIMIT), np.where(there, values, np.nan))
                ax.axhline(0, color="gray", linewidth=0.5)
                ax.set(xlabel="seconds", ylabel=what)
        angle, turning = np.meshgrid(np.radians(np.linspace(-12, 12, 101)), np.linspace(-2, 2, 101))
        still = np.zeros_like(angle)
        plane = np.stack([still, still, angle, turning], -1).reshape(-1, 4).astype(np.float32)
        right = F.softmax(self.model(tensor(plane)), 1).array[:, 1].reshape(angle.shape)
        with picture(folder / "policy.png") as ax:
            image = ax.contourf(np.degrees(angle), turning, right, levels=np.linspace(0, 1, 21), cmap="coolwarm")
            ax.figure.colorbar(image, ax=ax, label="probability of a push to the right")
            ax.set(xlabel="angle in degrees", ylabel="angular velocity in radians a second", title="the policy")

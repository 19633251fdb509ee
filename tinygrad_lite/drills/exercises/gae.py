"""GAE: generalized advantage estimation

gae(rewards, values, dones, gamma=0.99, lam=0.95)   -> advantages (T, ...), returns (T, ...)

rewards (T, ...) and dones (T, ...) are those of T steps; values (T + 1, ...) are the values of the states before each
step, and of the state after the last one. The first axis is time; there may be another one, of environments that run
side by side. dones is boolean: True where the episode ends with this step, so that the next row belongs to another
episode. delta[t] = rewards[t] + gamma * values[t + 1] - values[t] is how much better a step was than expected. The
advantage of step t is the sum of the deltas from t on, each weighted with (gamma * lam) to the power of its distance
from t. Neither the next value nor later deltas count beyond the end of an episode. returns are the advantages plus the
values of the states before the steps. One pass over the T steps.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=8,
    hints=["The advantage of a step is its delta plus gamma * lam times the advantage of the step after it.",
           "Go through time from the end to the start, so that the later advantage is known.",
           "1 - dones[t] is 0 where the episode ends: it multiplies two things in each turn.",
           "delta = rewards[t] + gamma * values[t + 1] * going - values[t], and "
           "last = delta + gamma * lam * going * last."],
    pitfalls=["An end cuts two things: the next value, and the advantage of the next step, which is another episode's.",
              "values has one row more than rewards: the last state still has a value, where no episode has ended.",
              "lam = 0 is one-step TD (little variance), lam = 1 Monte Carlo minus the value (no bias of the values)."],
)


@drill.reference
def gae(rewards, values, dones, gamma=0.99, lam=0.95):
    """rewards: (T, ...), values: (T + 1, ...), dones: booleans (T, ...) -> advantages (T, ...), returns (T, ...)"""
    advantages = np.zeros_like(rewards)
    last = 0.0  # the advantage of the step after t
    for t in reversed(range(len(rewards))):  # from the end, since each step needs the one after it
        going = 1.0 - dones[t]  # 0 where the episode ends: what follows is another one
        delta = rewards[t] + gamma * going * values[t + 1] - values[t]
        last = delta + gamma * lam * going * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


rng = np.random.default_rng(0)
rewards, values = rng.standard_normal(6), rng.standard_normal(7)
never, once = np.zeros(6, bool), np.arange(6) == 2
many = rng.standard_normal(1000)

drill.case(gae, np.array([1.0, 2.0]), np.array([0.5, 1.0, 2.0]), np.array([False, False]), 0.5, 0.5,
           why="the deltas are 1 and 2; the first advantage is 1 + 0.5 * 0.5 * 2")
drill.case(gae, np.array([0.0, 0.0, 8.0]), np.zeros(4), np.array([False, False, True]), 1.0, 0.5,
           why="a late reward reaches earlier steps, lam times weaker each time: go from the end to the start")
drill.case(gae, np.array([1.0, 1.0]), np.array([0.0, 10.0, 20.0]), np.array([False, True]), 1.0, 0.0,
           why="the value after the end of an episode does not count: delta is rewards[t] - values[t] there")
drill.case(gae, np.array([1.0, 5.0]), np.array([0.0, 0.0, 0.0]), np.array([True, False]), 1.0, 1.0,
           why="the advantage of the next step is another episode's after an end, and does not count")
drill.case(gae, rewards, values, never, why="delta + gamma * lam * the next advantage; the last delta uses values[T]")
drill.case(gae, rewards, values, once, 0.9, 0.8, why="an end cuts the next value and the next advantage")
drill.case(gae, rewards, values, once, gamma=0.9, lam=1.0,
           why="with lam = 1 the returns are the discounted sums of rewards up to the end, or to the last value")
drill.case(gae, rng.standard_normal((5, 3)), rng.standard_normal((6, 3)), rng.random((5, 3)) < 0.3,
           why="the environments run side by side: each has ends of its own")
drill.case(gae, many, rng.standard_normal(1001), many > 1.5, lines=20_000,
           slow="a sum over all later steps for each step; carry the advantage back from the end instead",
           why="one pass is enough: each step needs only the one after it")


@drill.wrong(gae, "not cut at the end of an episode", "what comes after an end belongs to another episode; multiply "
             "the next value and the next advantage by 1 - done")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        last = rewards[t] + gamma * values[t + 1] - values[t] + gamma * lam * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "the next value counts through an end", "the next row is the start of another episode: multiply its "
             "value by 1 - done as well")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        last = rewards[t] + gamma * values[t + 1] - values[t] + gamma * lam * (1 - dones[t]) * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "the next advantage counts through an end", "the next advantage is another episode's: multiply it by "
             "1 - done as well")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        last = rewards[t] + gamma * values[t + 1] * (1 - dones[t]) - values[t] + gamma * lam * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "the end one step late", "dones[t] says that the episode ends with step t, so that it cuts what "
             "follows step t, and not step t itself")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        going = 1.0 if t == len(rewards) - 1 else 1.0 - dones[t + 1]
        last = rewards[t] + gamma * going * values[t + 1] - values[t] + gamma * lam * going * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "forward in time", "a step's advantage needs those after it, and not those before: go from the end "
             "to the start")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in range(len(rewards)):
        going = 1.0 - dones[t]
        last = rewards[t] + gamma * going * values[t + 1] - values[t] + gamma * lam * going * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "lambda forgotten", "with gamma alone it is lam = 1; later deltas are weighted with gamma * lam")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        going = 1.0 - dones[t]
        last = rewards[t] + gamma * going * values[t + 1] - values[t] + gamma * going * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "the delta alone", "the delta is the advantage for lam = 0 only; add gamma * lam times the next "
             "advantage")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    deltas = rewards + gamma * values[1:] * (1 - dones) - values[:-1]
    return deltas, deltas + values[:-1]


@drill.wrong(gae, "gamma forgotten in the sum", "later deltas are discounted too: gamma * lam, and not lam alone")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        going = 1.0 - dones[t]
        last = rewards[t] + gamma * going * values[t + 1] - values[t] + lam * going * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "lambda in the delta", "the delta is discounted with gamma alone; lam weighs the later deltas")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        going = 1.0 - dones[t]
        last = rewards[t] + gamma * lam * going * values[t + 1] - values[t] + gamma * lam * going * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "the last value forgotten", "an episode that goes on after the last step is worth values[T] there, "
             "and not 0")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        going = 1.0 - dones[t]
        after = values[t + 1] if t < len(rewards) - 1 else 0.0
        last = rewards[t] + gamma * going * after - values[t] + gamma * lam * going * last
        advantages[t] = last
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "the returns without lambda", "here the returns are advantages + values, the target of the values "
             "that belongs to these advantages; discounted sums of rewards are that for lam = 1 only")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages, returns, last, total = np.zeros_like(rewards), np.zeros_like(rewards), 0.0, values[-1]
    for t in reversed(range(len(rewards))):
        going = 1.0 - dones[t]
        last = rewards[t] + gamma * going * values[t + 1] - values[t] + gamma * lam * going * last
        total = rewards[t] + gamma * going * total
        advantages[t], returns[t] = last, total
    return advantages, returns


def right(rewards, values, dones, gamma, lam):
    """The advantages, for mistakes that are made after them."""
    advantages, last = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        going = 1.0 - dones[t]
        last = rewards[t] + gamma * going * values[t + 1] - values[t] + gamma * lam * going * last
        advantages[t] = last
    return advantages


@drill.wrong(gae, "the returns with the next values", "an advantage is over the value of the state before the step: "
             "add values[:-1]")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages = right(rewards, values, dones, gamma, lam)
    return advantages, advantages + values[1:]


@drill.wrong(gae, "the advantages normalized", "many programs do so before they use them; the returns need them as "
             "they are")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    advantages = right(rewards, values, dones, gamma, lam)
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    return advantages, advantages + values[:-1]


@drill.wrong(gae, "the sum over all later steps", "a sum for each step takes T * T / 2 turns; carry the advantage back "
             "from the end instead")
def _(rewards, values, dones, gamma=0.99, lam=0.95):
    deltas, advantages = rewards + gamma * values[1:] * (1 - dones) - values[:-1], np.zeros_like(rewards)
    for t in range(len(rewards)):
        weight = np.ones_like(rewards[t])
        for later in range(t, len(rewards)):
            advantages[t] += weight * deltas[later]
            weight = weight * gamma * lam * (1 - dones[later])
    return advantages, advantages + values[:-1]

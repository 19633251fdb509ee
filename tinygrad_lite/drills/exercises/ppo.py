"""PPO: the clipped surrogate loss

ppo_loss(new, old, advantages, eps=0.2)   three times (N,) -> the loss, a number
entropy(log_probs)                        (N, A) -> the entropy of each row's distribution, (N,)

new and old are the log-probabilities that the policy gives to the N actions that were taken: now, and when they were
taken. The ratio of an action is its probability now divided by that of then. PPO makes the mean of the smaller of
ratio * advantage and clipped ratio * advantage large, where the clipped ratio lies between 1 - eps and 1 + eps; the
loss, which is made small, is minus that mean. The advantages are used as they are. The log-probabilities may be as low
as -1000. The rows of log_probs are the log-probabilities of A actions each; natural logarithm; an action whose
log-probability is -inf adds 0 to the entropy. No loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=8,
    hints=["The ratio of two probabilities, from their logarithms: exp(new - old).",
           "Two candidates per action: ratio * advantage, and np.clip(ratio, 1 - eps, 1 + eps) * advantage.",
           "np.minimum takes the smaller of both for each action; minus the mean is the loss.",
           "The entropy is -sum(p * log p) with p = exp(log_probs). 0 * -inf is NaN: put 0 for log p where p is 0."],
    pitfalls=["exp(new) / exp(old) is 0 / 0 for log-probabilities of -1000: subtract first, then exp.",
              "The minimum makes it a bound from below: clipping alone would also stop the gradient that repairs a "
              "ratio which has gone the wrong way.",
              "In the first step after collecting, all ratios are 1: the gradient is that of plain policy gradients."],
)


@drill.reference(differentiable=True, constant=("old", "advantages"))
def ppo_loss(new, old, advantages, eps=0.2):
    """new, old: log-probabilities of the actions taken (N,), advantages: (N,) -> the loss, a number"""
    ratio = np.exp(new - old)  # (N,), p_new / p_old, without the probabilities, which may underflow
    clipped = np.clip(ratio, 1 - eps, 1 + eps)  # going further than that earns nothing more
    return -np.mean(np.minimum(ratio * advantages, clipped * advantages))  # the smaller: never a reward for clipping


@drill.reference(differentiable=True)
def entropy(log_probs):
    """log_probs: (N, A), each row's exp sums to 1 -> the entropies (N,)"""
    finite = np.where(log_probs > -np.inf, log_probs, 0.0)  # 0 * log(0) counts 0, but 0 * -inf would be NaN
    return -np.sum(np.exp(log_probs) * finite, axis=-1)


rng = np.random.default_rng(9)
old = rng.normal(-2, 0.5, 9)
new, advantages = old + rng.normal(0, 0.4, 9), rng.normal(0.3, 2, 9)
logits = rng.standard_normal((3, 5))
log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

drill.case(ppo_loss, np.log(np.array([0.22])), np.log(np.array([0.2])), np.array([2.0]),
           why="the ratio 0.22 / 0.2 = 1.1 is within the clip: minus 1.1 * 2")
drill.case(ppo_loss, np.log(np.array([0.5, 0.1])), np.log(np.array([0.25, 0.4])), np.array([1.0, -1.0]),
           why="what is good and already likelier counts 1.2, and what is bad and already rarer counts -0.8: clipped")
drill.case(ppo_loss, np.log(np.array([0.1, 0.5])), np.log(np.array([0.4, 0.25])), np.array([1.0, -1.0]),
           why="a ratio that went the wrong way, 0.25 of a good action or 2 of a bad one, is not clipped: the minimum")
drill.case(ppo_loss, new, old, advantages, why="the mean, over all actions, of the smaller of both products")
drill.case(ppo_loss, new, old, advantages, eps=0.05, why="the ratio is clipped to 1 - eps and 1 + eps")
drill.case(ppo_loss, np.array([-1000.0, -999.9, -3.0]), np.array([-1000.1, -1000.0, -3.0]), np.array([1.0, -2.0, 0.5]),
           why="both probabilities underflow to 0, and 0 / 0 is NaN: exp of the difference")
drill.case(entropy, np.log(np.array([[0.5, 0.5], [0.75, 0.25]])), why="-sum(p * log p), log(2) for two equal actions")
drill.case(entropy, log_probs, why="one number a row, over the actions, the last axis")
drill.case(entropy, np.array([[0.0, -np.inf], [np.log(0.5), np.log(0.5)]]),
           why="0 * -inf is NaN; an action that is never taken adds 0", smooth=False)
drill.case(entropy, log_probs.astype("float32"), why="float32 stays float32")


@drill.wrong(ppo_loss, "the larger of both", "the larger of both always pays for going further; the bound from below "
             "is the minimum")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(new - old)
    return -np.mean(np.maximum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "the larger of both", "of losses, which have the other sign, the larger counts: -min(a, b) is "
             "max(-a, -b)")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(new - old)
    return np.mean(np.minimum(-ratio * advantages, -np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "clipped without the minimum", "a ratio that went the wrong way has no gradient then and cannot "
             "be repaired; take the minimum with ratio * advantage")
def _(new, old, advantages, eps=0.2):
    return -np.mean(np.clip(np.exp(new - old), 1 - eps, 1 + eps) * advantages)


@drill.wrong(ppo_loss, "the minimum of the ratios", "for a negative advantage the smaller ratio gives the larger "
             "product; take the minimum after the multiplication")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(new - old)
    return -np.mean(np.minimum(ratio, np.clip(ratio, 1 - eps, 1 + eps)) * advantages)


@drill.wrong(ppo_loss, "not clipped", "without the clip one batch may move the policy anywhere; np.clip(ratio, 1 - "
             "eps, 1 + eps)")
def _(new, old, advantages, eps=0.2):
    return -np.mean(np.exp(new - old) * advantages)


@drill.wrong(ppo_loss, "eps not used", "how far the ratio may go is an argument: 1 - eps and 1 + eps")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(new - old)
    return -np.mean(np.minimum(ratio * advantages, np.clip(ratio, 0.8, 1.2) * advantages))


@drill.wrong(ppo_loss, "the product clipped", "the ratio is what lies between 1 - eps and 1 + eps, and not ratio * "
             "advantage")
def _(new, old, advantages, eps=0.2):
    products = np.exp(new - old) * advantages
    return -np.mean(np.minimum(products, np.clip(products, 1 - eps, 1 + eps)))


@drill.wrong(ppo_loss, "the ratio of the logarithms", "new and old are logarithms: the ratio of the probabilities is "
             "exp(new - old)")
def _(new, old, advantages, eps=0.2):
    ratio = new / old
    return -np.mean(np.minimum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "exp forgotten", "new - old is the logarithm of the ratio: exp(new - old)")
def _(new, old, advantages, eps=0.2):
    ratio = new - old
    return -np.mean(np.minimum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "old over new", "the ratio is the probability now divided by that of then: exp(new - old)")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(old - new)
    return -np.mean(np.minimum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "probabilities that underflow", "exp(-1000) is 0, and 0 / 0 is NaN: exp(new - old)")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(new) / np.exp(old)
    return -np.mean(np.minimum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "the sign", "the mean is to grow, and a loss is made small: minus the mean")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(new - old)
    return np.mean(np.minimum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "the sum over actions", "a sum grows with the batch; the loss is minus the mean")
def _(new, old, advantages, eps=0.2):
    ratio = np.exp(new - old)
    return -np.sum(np.minimum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(ppo_loss, "the advantages normalized", "many programs do so before they call the loss; here they are used "
             "as they are")
def _(new, old, advantages, eps=0.2):
    ratio, advantages = np.exp(new - old), (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    return -np.mean(np.minimum(ratio * advantages, np.clip(ratio, 1 - eps, 1 + eps) * advantages))


@drill.wrong(entropy, "0 * -inf", "0 times -inf is NaN; put 0 for the logarithm where the probability is 0")
def _(log_probs):
    return -np.sum(np.exp(log_probs) * log_probs, axis=-1)


@drill.wrong(entropy, "the sign", "logarithms of probabilities are negative, and an entropy is not: minus the sum")
def _(log_probs):
    return np.sum(np.exp(log_probs) * np.where(np.isfinite(log_probs), log_probs, 0.0), axis=-1)


@drill.wrong(entropy, "not weighted with the probabilities", "the entropy is the expected -log p: multiply by p = "
             "exp(log_probs)")
def _(log_probs):
    return -np.sum(np.where(np.isfinite(log_probs), log_probs, 0.0), axis=-1)


@drill.wrong(entropy, "not weighted with the probabilities", "the entropy is the expected -log p: multiply by p = "
             "exp(log_probs) and sum")
def _(log_probs):
    return -np.mean(np.where(np.isfinite(log_probs), log_probs, 0.0), axis=-1)


@drill.wrong(entropy, "one number for all rows", "each row is a distribution of its own: sum over the last axis only")
def _(log_probs):
    return -np.sum(np.exp(log_probs) * np.where(np.isfinite(log_probs), log_probs, 0.0))


@drill.wrong(entropy, "one number for all rows", "each row is a distribution of its own: its entropy, and not their "
             "mean")
def _(log_probs):
    return -np.mean(np.sum(np.exp(log_probs) * np.where(np.isfinite(log_probs), log_probs, 0.0), axis=-1))


@drill.wrong(entropy, "bits", "with np.log2 it is 1 / log(2) times as much; the natural logarithm is asked for")
def _(log_probs):
    return -np.sum(np.exp(log_probs) * np.where(np.isfinite(log_probs), log_probs, 0.0), axis=-1) / np.log(2)

"""DPO: learn from preferences without a reward model

log_sigmoid(x)                                                  any shape -> log(1 / (1 + exp(-x))), the same shape
dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta=0.1)  four times (N,) -> the mean loss of N pairs, a number

Each pair is two answers to one prompt, of which people chose one and rejected the other. chosen and rejected are the
log-probabilities that the policy, the model that learns, gives to the whole answers; ref_chosen and ref_rejected are
those of the reference, the frozen model that it started from. The reward of an answer is beta times the logarithm of
the policy's probability divided by the reference's. The loss of a pair is minus the log-sigmoid of the chosen answer's
reward minus that of the rejected one; the loss is the mean over pairs. x may be as large as 1000 or as small as -1000;
the derivative at 0, where learning starts, is 1/2.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=8,
    hints=["The logarithm of a quotient is a difference: the reward of an answer is beta * (policy - reference).",
           "margin = (chosen - ref_chosen) - (rejected - ref_rejected); a pair's loss is -log_sigmoid(beta * margin).",
           "log(1 / (1 + exp(-x))) = -log(1 + exp(-x)), and exp(-x) overflows for x = -1000: what is it nearly then?",
           "log(exp(a) + exp(b)) is np.logaddexp(a, b), which is stable; the 1 is exp(0). By hand: "
           "min(x, 0) - log1p(exp(-|x|))."],
    pitfalls=["exp(-x) overflows for x = -1000, and log(0) is -inf: never the logarithm of a computed sigmoid.",
              "Log-probabilities of whole answers are sums over tokens, of -100 and less: exp of them underflows.",
              "Without the reference nothing holds the policy near its start; beta is the price of leaving it. The "
              "caller computes the reference's log-probabilities without a gradient."],
)


@drill.reference(differentiable=True)
def log_sigmoid(x):
    """x: any shape -> log(1 / (1 + exp(-x))), the same shape"""
    return -np.logaddexp(0.0, -x)  # log(exp(0) + exp(-x)) with the larger power taken out: nothing overflows


@drill.reference(differentiable=True, constant=("ref_chosen", "ref_rejected"))
def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    """all four: log-probabilities of whole answers (N,), beta: a number -> the mean loss, a number"""
    margins = (chosen - ref_chosen) - (rejected - ref_rejected)  # (N,), how much more the policy came to prefer it
    return -np.mean(log_sigmoid(beta * margins))  # the probability of the preference is a sigmoid (Bradley and Terry)


rng = np.random.default_rng(0)
chosen, rejected, ref_chosen, ref_rejected = rng.normal(-30, 8, (4, 7))
far = 10_000 * np.ones(2)

drill.case(log_sigmoid, np.array([[3.0, 1.0, -1.0], [2.0, -3.0, 0.5]]),
           why="the logarithm of a probability is below 0 everywhere, and near x for small x")
drill.case(log_sigmoid, np.array([1000.0, -1000.0]),
           why="the sigmoid of -1000 underflows to 0, but its logarithm is -1000: exp only what is not positive")
drill.case(log_sigmoid, np.array([0.5, -200.0, 100.0], "float32"),
           why="float32 stays float32: its exp overflows at 88")
drill.case(dpo_loss, np.array([-10.0]), np.array([-12.0]), np.array([-11.0]), np.array([-11.0]), 0.5,
           why="the margin is (-10 + 11) - (-12 + 11) = 2, times beta 1: -log_sigmoid(1) = 0.3133")
drill.case(dpo_loss, np.array([-5.0, -9.0]), np.array([-9.0, -4.0]), np.array([-5.0, -9.0]), np.array([-9.0, -4.0]),
           why="where the policy still is the reference all margins are 0: a loss of log(2), with a gradient")
drill.case(dpo_loss, np.array([-40.0, -20.0]), np.array([-10.0, -20.0]), np.array([-50.0, -26.0]),
           np.array([-13.0, -22.0]), 0.2,
           why="what counts is how far the policy moved from the reference, not which answer is more probable")
drill.case(dpo_loss, chosen, rejected, ref_chosen, ref_rejected,
           why="the mean of the pairs' losses; beta is within the log-sigmoid")
drill.case(dpo_loss, -far, -far, -2 * far, -far / 2,
           why="a pair with a large margin has no loss: use the stable log-sigmoid")
drill.case(dpo_loss, -far, -far / 2, -far / 2, -2 * far,
           why="a large negative margin has a large loss, which is not infinite: use the stable log-sigmoid")


@drill.wrong(log_sigmoid, "exp overflows", "the sigmoid of -1000 is 0, and log(0) is -inf; -logaddexp(0, -x)")
def _(x):
    return np.log(1 / (1 + np.exp(-x)))


@drill.wrong(log_sigmoid, "exp overflows", "exp(1000) is infinite, and so is its log1p; -logaddexp(0, -x)")
def _(x):
    return -np.log1p(np.exp(-x))


@drill.wrong(log_sigmoid, "exp overflows", "exp(1000) is infinite, and infinite minus infinite NaN; -logaddexp(0, -x)")
def _(x):
    return x - np.log1p(np.exp(x))


@drill.wrong(log_sigmoid, "a small number within the logarithm", "log(1e-8) is -18 for every x below: the gradient is "
             "lost where it counts most; -logaddexp(0, -x)")
def _(x):
    return np.log(1 / (1 + np.exp(-x)) + 1e-8)


@drill.wrong(log_sigmoid, "clipped", "clipped scores have no gradient, and the loss stops growing; -logaddexp(0, -x) "
             "is right everywhere")
def _(x):
    return np.log(1 / (1 + np.exp(-np.clip(x, -500, 500))))


@drill.wrong(log_sigmoid, "the softplus", "log(1 + exp(x)) is -log_sigmoid(-x): a logarithm of a probability is not "
             "positive")
def _(x):
    return np.logaddexp(0.0, x)


@drill.wrong(log_sigmoid, "the sign of x", "log_sigmoid(x) is near 0 for large x, and near x for small x; "
             "-logaddexp(0, -x)")
def _(x):
    return -np.logaddexp(0.0, x)


@drill.wrong(dpo_loss, "the sign of the margin", "the chosen answer is to gain: its reward minus that of the rejected "
             "one")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(log_sigmoid(beta * ((rejected - ref_rejected) - (chosen - ref_chosen))))


@drill.wrong(dpo_loss, "the sign of the loss", "a loss is made small: minus the log-sigmoid, which is large for a "
             "right order")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return np.mean(log_sigmoid(beta * ((chosen - ref_chosen) - (rejected - ref_rejected))))


@drill.wrong(dpo_loss, "the reference forgotten", "without the reference the loss knows nothing of where the policy "
             "started, and nothing holds it there; subtract ref_chosen and ref_rejected")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(log_sigmoid(beta * (chosen - rejected)))


@drill.wrong(dpo_loss, "the reference added", "the reference's preference is subtracted: (chosen - rejected) - "
             "(ref_chosen - ref_rejected)")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(log_sigmoid(beta * ((chosen - rejected) + (ref_chosen - ref_rejected))))


@drill.wrong(dpo_loss, "beta outside the log-sigmoid", "outside it only scales the gradient; inside it says how far "
             "the policy may move: log_sigmoid(beta * margin)")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -beta * np.mean(log_sigmoid((chosen - ref_chosen) - (rejected - ref_rejected)))


@drill.wrong(dpo_loss, "beta forgotten", "beta says how far the policy may move: log_sigmoid(beta * margin)")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(log_sigmoid((chosen - ref_chosen) - (rejected - ref_rejected)))


@drill.wrong(dpo_loss, "beta forgotten", "beta belongs to both rewards: beta * ((chosen - ref_chosen) - (rejected - "
             "ref_rejected))")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(log_sigmoid(beta * (chosen - ref_chosen) - (rejected - ref_rejected)))


@drill.wrong(dpo_loss, "the sum over pairs", "a sum grows with the batch; the loss is the mean over pairs")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.sum(log_sigmoid(beta * ((chosen - ref_chosen) - (rejected - ref_rejected))))


@drill.wrong(dpo_loss, "the mean before the log-sigmoid", "the pairs' losses are averaged, not their margins: one pair "
             "that is very right would hide all wrong ones")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -log_sigmoid(beta * np.mean((chosen - ref_chosen) - (rejected - ref_rejected)))


@drill.wrong(dpo_loss, "probabilities in place of logarithms", "the arguments are logarithms already: a quotient of "
             "probabilities is their difference, and exp(-100) is next to 0")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(log_sigmoid(beta * (np.exp(chosen - ref_chosen) - np.exp(rejected - ref_rejected))))


@drill.wrong(dpo_loss, "the quotient of logarithms", "the logarithm of a quotient is a difference: chosen - ref_chosen")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(log_sigmoid(beta * (chosen / ref_chosen - rejected / ref_rejected)))


@drill.wrong(dpo_loss, "exp overflows", "the sigmoid of a large negative margin is 0, and log(0) is -inf: use "
             "log_sigmoid")
def _(chosen, rejected, ref_chosen, ref_rejected, beta=0.1):
    return -np.mean(np.log(1 / (1 + np.exp(-beta * ((chosen - ref_chosen) - (rejected - ref_rejected))))))

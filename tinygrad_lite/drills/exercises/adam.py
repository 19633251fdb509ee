"""Adam and AdamW, a step at a time

adam_step(p, g, m, v, t, lr, beta1, beta2, eps)                  -> p, m, v
adamw_step(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay)   -> p, m, v

p are parameters and g is the gradient of the loss by them; m and v are the running averages of the gradient and of its
square; all four have one shape, and so have the results. t is the number of this step and starts at 1; before the first
step m and v are 0. beta1 belongs to m and beta2 to v. Both averages are corrected for their start at 0; the m and v
that are returned are not corrected. eps is added to the square root of the corrected v.

AdamW decays the weights apart from the gradient: besides Adam's step it subtracts lr * weight_decay * p, of the p that
came in. Do not change the arguments.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=8,
    hints=["m = beta1 * m + (1 - beta1) * g, and v the same with beta2 and the square of g.",
           "m begins at 0, and after t steps its weights sum to 1 - beta1 ** t only. Divide by that.",
           "p - lr * m_hat / (sqrt(v_hat) + eps), with the corrected averages m_hat and v_hat.",
           "adamw_step is adam_step with the same g; its p then loses lr * weight_decay * the old p."],
    pitfalls=["Without the correction the first steps are too large: sqrt(v) starts much smaller than it should be.",
              "eps keeps the step finite where a gradient has always been 0; it stands outside of the root.",
              "Weight decay in g is divided by sqrt(v) like the rest of it, so that weights with large gradients "
              "hardly decay: AdamW keeps it apart."],
)


@drill.reference(differentiable=True)
def adam_step(p, g, m, v, t, lr, beta1, beta2, eps):
    """p, g, m, v: arrays of one shape, t: number of the step, from 1 -> p, m, v"""
    m = beta1 * m + (1 - beta1) * g  # new arrays: the caller's stay as they are
    v = beta2 * v + (1 - beta2) * g ** 2
    m_hat = m / (1 - beta1 ** t)  # the weights of t gradients sum to 1 - beta1 ** t, the rest is the 0 of the start
    v_hat = v / (1 - beta2 ** t)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


@drill.reference(differentiable=True)
def adamw_step(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """p, g, m, v: arrays of one shape, t: number of the step, from 1 -> p, m, v"""
    new, m, v = adam_step(p, g, m, v, t, lr, beta1, beta2, eps)  # the decay never enters the averages
    return new - lr * weight_decay * p, m, v


rng = np.random.default_rng(0)
p, g, m = rng.standard_normal((3, 2, 5))
v = rng.uniform(0.5, 2, (2, 5))
zero = np.zeros(2)

drill.case(adam_step, np.array([1.0, 1.0]), np.array([2.0, -0.5]), zero, zero, 1, 0.1, 0.9, 0.999, 0.0, smooth=False,
           why="after the correction m is g and v is g squared in the first step: every parameter moves by lr")
drill.case(adam_step, p, g, m, v, 3, 0.1, 0.8, 0.9, 0.5,
           why="both averages are divided by 1 - beta ** t, and eps is added to the root of the corrected v")
drill.case(adam_step, p, g, m, v, 10_000, 0.1, 0.9, 0.999, 1e-8, why="after many steps the correction is 1")
drill.case(adam_step, np.array([1.0, 2.0]), zero, zero, zero, 1, 0.1, 0.9, 0.999, 1e-8, smooth=False,
           why="where the gradient has always been 0 the step is 0 / eps, and not 0 / 0")
drill.case(adam_step, np.array(3.0), np.array(1e-3), np.array(0.0), np.array(0.0), 1, 0.01, 0.9, 0.999, 1e-3,
           smooth=False, why="a gradient as small as eps moves the parameter by half of lr: eps is added after the "
           "root")
drill.case(adam_step, *(each.astype("float32") for each in (p, g, m, v)), 2, 0.1, 0.9, 0.999, 1e-8,
           why="float32 stays float32")


@drill.program(why="what is returned is what the next step takes: m and v without the correction, and t from 1")
def _(adam_step):
    """100 steps of adam_step from p = [5, -3] on the loss p[0] ** 2 + 10 * p[1] ** 2"""
    p, m, v = np.array([5.0, -3.0]), np.zeros(2), np.zeros(2)
    for t in range(1, 101):
        p, m, v = adam_step(p, 2 * np.array([1.0, 10.0]) * p, m, v, t, 0.1, 0.9, 0.99, 1e-8)
    return p, m, v


drill.case(adamw_step, np.array([1.0, -2.0]), np.array([2.0, -0.5]), zero, zero, 1, 0.1, 0.9, 0.999, 0.0, 0.5,
           smooth=False, why="Adam's step of lr, and lr * weight_decay * p with the p from before it")
drill.case(adamw_step, p, g, m, v, 3, 0.1, 0.8, 0.9, 0.5, 0.3, why="the decay enters neither m nor v")
drill.case(adamw_step, np.array([10.0, 10.0]), np.array([1000.0, 0.001]), zero, zero, 1, 0.1, 0.9, 0.999, 1e-8, 0.1,
           smooth=False, why="the decay is the same for large and for small gradients: it is not divided by the root")
drill.case(adamw_step, p, g, m, v, 3, 0.1, 0.8, 0.9, 0.5, 0.0, why="without weight decay it is Adam")


def averages(g, m, v, beta1, beta2):
    """m and v after a gradient, for wrong answers that go wrong later."""
    return beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g


@drill.wrong(adam_step, "bias correction forgotten", "m and v begin at 0 and are too small at first: divide them by "
             "1 - beta1 ** t and 1 - beta2 ** t")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (np.sqrt(v) + eps), m, v


@drill.wrong(adam_step, "only m corrected", "v begins at 0 as well: divide it by 1 - beta2 ** t")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1 ** t) / (np.sqrt(v) + eps), m, v


@drill.wrong(adam_step, "t taken to start at 0", "t starts at 1, so that 1 - beta ** t is right as it stands")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1 ** (t + 1)) / (np.sqrt(v / (1 - beta2 ** (t + 1))) + eps), m, v


@drill.wrong(adam_step, "corrected by beta * t", "after t steps the 0 of the start still has the weight beta ** t, a "
             "power")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1 * t) / (np.sqrt(v / (1 - beta2 * t)) + eps), m, v


@drill.wrong(adam_step, "corrected by beta", "1 - beta is right for t = 1 only: after t steps it is 1 - beta ** t")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1) / (np.sqrt(v / (1 - beta2)) + eps), m, v


@drill.wrong(adam_step, "corrected averages returned", "the next step goes on with the averages as they are: corrected "
             "ones would be corrected again")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    m, v = m / (1 - beta1 ** t), v / (1 - beta2 ** t)
    return p - lr * m / (np.sqrt(v) + eps), m, v


@drill.wrong(adam_step, "eps inside the root", "Adam adds eps to the root: sqrt(v_hat) + eps")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1 ** t) / np.sqrt(v / (1 - beta2 ** t) + eps), m, v


@drill.wrong(adam_step, "eps added before the correction", "lr * sqrt(1 - beta2 ** t) / (1 - beta1 ** t) saves "
             "divisions, but makes eps larger by 1 / sqrt(1 - beta2 ** t): add it to the root of the corrected v")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * np.sqrt(1 - beta2 ** t) / (1 - beta1 ** t) * m / (np.sqrt(v) + eps), m, v


@drill.wrong(adam_step, "eps forgotten", "where the gradient has always been 0, 0 / 0 is NaN: sqrt(v_hat) + eps")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1 ** t) / np.sqrt(v / (1 - beta2 ** t)), m, v


@drill.wrong(adam_step, "betas exchanged", "beta1 belongs to m, the average of the gradient, and beta2 to v")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta2, beta1)
    return p - lr * m / (1 - beta2 ** t) / (np.sqrt(v / (1 - beta1 ** t)) + eps), m, v


@drill.wrong(adam_step, "the new gradient weighs beta", "the old average has the weight beta, and the new gradient 1 - "
             "beta")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, 1 - beta1, 1 - beta2)
    return p - lr * m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v


@drill.wrong(adam_step, "g not squared", "v is the average of the squares of the gradient: g ** 2")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g
    return p - lr * m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v


@drill.wrong(adam_step, "the root forgotten", "v is an average of squares: only its root is of the size of a gradient")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1 ** t) / (v / (1 - beta2 ** t) + eps), m, v


@drill.wrong(adam_step, "g in place of m", "the step goes along m, the average of the gradients; RMSprop takes g")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * g / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v


@drill.wrong(adam_step, "uphill", "the gradient points to where the loss grows: subtract the step")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = averages(g, m, v, beta1, beta2)
    return p + lr * m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v


@drill.wrong(adam_step, "arguments changed in place", "*= and += write into the caller's arrays: m = beta1 * m + ... "
             "makes a new one")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g ** 2
    p -= lr * m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + eps)
    return p, m, v


@drill.wrong(adam_step, "arguments changed in place", "m *= beta1 and m[:] = ... write into the caller's array: "
             "m = beta1 * m + ... makes a new one")
def _(p, g, m, v, t, lr, beta1, beta2, eps):
    m[:], v[:] = averages(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v


@drill.wrong(adamw_step, "decay in the gradient", "this is Adam with an L2 penalty, whose gradient is averaged and "
             "divided by sqrt(v); AdamW subtracts lr * weight_decay * p apart from it")
def _(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return adam_step(p, g + weight_decay * p, m, v, t, lr, beta1, beta2, eps)


@drill.wrong(adamw_step, "decay without lr", "the decay follows the learning rate: lr * weight_decay * p")
def _(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    new, m, v = adam_step(p, g, m, v, t, lr, beta1, beta2, eps)
    return new - weight_decay * p, m, v


@drill.wrong(adamw_step, "decay of the new p", "the decay is that of the p that came in, before Adam's step")
def _(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    new, m, v = adam_step(p, g, m, v, t, lr, beta1, beta2, eps)
    return new - lr * weight_decay * new, m, v


@drill.wrong(adamw_step, "decay divided by the root", "the decay is the same whatever the gradients are: only m is "
             "divided by sqrt(v) + eps")
def _(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    m, v = averages(g, m, v, beta1, beta2)
    return p - lr * (m / (1 - beta1 ** t) + weight_decay * p) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v


@drill.wrong(adamw_step, "the weights grow", "a decay makes weights smaller: subtract lr * weight_decay * p")
def _(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    new, m, v = adam_step(p, g, m, v, t, lr, beta1, beta2, eps)
    return new + lr * weight_decay * p, m, v


@drill.wrong(adamw_step, "no decay", "besides Adam's step p loses lr * weight_decay * p")
def _(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return adam_step(p, g, m, v, t, lr, beta1, beta2, eps)

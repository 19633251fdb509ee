"""SGD with momentum, a step at a time

sgd_step(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False)   -> p, velocity

p are parameters, g is the gradient of the loss by them, velocity is what the step before has returned, and 0 before the
first; all have one shape. The convention is PyTorch's: weight_decay * p is added to the gradient, the new velocity is
momentum times the old one plus the whole gradient (nothing is damped), and the learning rate multiplies the step, not
the velocity. Without nesterov the step goes along the new velocity. With nesterov it goes along the gradient plus
momentum times the new velocity. Do not change the arguments.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=5,
    hints=["Three lines: the gradient with its decay, the velocity, the step.",
           "velocity = momentum * velocity + g: no 1 - momentum before g, and no lr.",
           "nesterov: step = g + momentum * velocity with the new velocity, and g with the weight decay in it."],
    pitfalls=["A constant gradient builds up to 1 / (1 - momentum) times itself: with momentum 0.9 the steps are ten "
              "times as long as without, and lr has to be smaller.",
              "Where lr is inside the velocity, a change of lr acts on old gradients late; PyTorch keeps it outside.",
              "velocity += g changes the caller's array: an optimizer does so on purpose, a function must not."],
)


@drill.reference(differentiable=True)
def sgd_step(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    """p, g, velocity: arrays of one shape -> p, velocity"""
    g = g + weight_decay * p  # the gradient of weight_decay / 2 * |p|^2: it enters the velocity as g does
    velocity = momentum * velocity + g
    step = g + momentum * velocity if nesterov else velocity  # nesterov looks one step of the velocity ahead
    return p - lr * step, velocity


rng = np.random.default_rng(0)
p, g, velocity = rng.standard_normal((3, 2, 5))

drill.case(sgd_step, np.array([1.0, 2.0]), np.array([10.0, -10.0]), np.array([0.0, 0.0]), 0.1,
           why="without momentum the step is lr times the gradient, downhill, and the velocity is the gradient")
drill.case(sgd_step, np.array([1.0, 2.0]), np.array([10.0, -10.0]), np.array([1.0, 1.0]), 0.1, 0.5,
           why="the new velocity is momentum * velocity + g, with the whole of g, and lr multiplies it afterwards")
drill.case(sgd_step, np.array([1.0]), np.array([10.0]), np.array([4.0]), 0.1,
           why="momentum is 0 where it is not given, so that the old velocity does not count")
drill.case(sgd_step, p, g, velocity, 0.1, 0.9, why="the velocity takes the gradient as it is, and the step is lr times "
           "it")
drill.case(sgd_step, p, g, velocity, 0.1, 0.9, 0.3, why="weight_decay * p is part of the gradient, and enters the "
           "velocity")
drill.case(sgd_step, p, g, velocity, 0.1, 0.0, 0.3, why="weight_decay * p is added to the gradient")
drill.case(sgd_step, np.array([1.0, 2.0]), np.array([10.0, -10.0]), np.array([1.0, 1.0]), 0.1, 0.5, nesterov=True,
           why="nesterov goes along g + momentum * the new velocity")
drill.case(sgd_step, p, g, velocity, 0.1, 0.9, 0.3, True,
           why="nesterov goes along g + momentum * velocity, where g has the weight decay in it")
drill.case(sgd_step, *(each.astype("float32") for each in (p, g, velocity)), 0.1, 0.9, 0.01, why="float32 stays "
           "float32")


@drill.program(why="the velocity that is returned is what the next step takes, also when lr changes")
def _(sgd_step):
    """20 steps with momentum 0.9 from p = [5, -3] on p[0] ** 2 + 10 * p[1] ** 2, half of them with half the lr"""
    p, velocity = np.array([5.0, -3.0]), np.zeros(2)
    for i in range(20):
        p, velocity = sgd_step(p, np.array([2.0, 20.0]) * p, velocity, 0.01 if i < 10 else 0.005, 0.9)
    return p, velocity


@drill.program(why="the look-ahead of nesterov is in the step alone, and not in the velocity that is kept")
def _(sgd_step):
    """20 steps with momentum 0.9 and nesterov from p = [5, -3] on p[0] ** 2 + 10 * p[1] ** 2"""
    p, velocity = np.array([5.0, -3.0]), np.zeros(2)
    for _ in range(20):
        p, velocity = sgd_step(p, np.array([2.0, 20.0]) * p, velocity, 0.01, 0.9, nesterov=True)
    return p, velocity


@drill.wrong(sgd_step, "gradient damped by 1 - momentum", "PyTorch's velocity takes the whole gradient; with (1 - "
             "momentum) * g it is an average, and the steps are ten times as short at momentum 0.9")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity = momentum * velocity + (1 - momentum) * g
    return p - lr * (g + momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "lr inside the velocity", "the velocity is made of gradients, and lr multiplies the step: "
             "otherwise a change of lr does not reach what has been gathered")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity = momentum * velocity + lr * g
    return p - (lr * g + momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "lr inside the velocity", "the velocity is made of gradients, and lr multiplies the step: "
             "otherwise a change of lr does not reach what has been gathered; its sign is that of the gradient")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity = momentum * velocity - lr * g
    return p + (momentum * velocity - lr * g if nesterov else velocity), velocity


@drill.wrong(sgd_step, "velocity of the other sign", "PyTorch's velocity has the sign of the gradient, and is "
             "subtracted")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity = momentum * velocity - g
    return p + lr * (momentum * velocity - g if nesterov else velocity), velocity


@drill.wrong(sgd_step, "nesterov's look-ahead missed", "with nesterov the step goes along g + momentum * velocity, not "
             "along the velocity")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    velocity = momentum * velocity + g + weight_decay * p
    return p - lr * velocity, velocity


@drill.wrong(sgd_step, "nesterov's look-ahead missed", "g + momentum * the old velocity is the new velocity itself: "
             "take the new one")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    new = momentum * velocity + g
    return p - lr * (g + momentum * velocity if nesterov else new), new


@drill.wrong(sgd_step, "nesterov without the gradient", "the step is g + momentum * velocity; momentum * velocity "
             "alone leaves out the gradient")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    velocity = momentum * velocity + g + weight_decay * p
    return p - lr * (momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "nesterov added to the velocity", "the new velocity has the gradient in it already: the step is "
             "g + momentum * velocity")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity = momentum * velocity + g
    return p - lr * (velocity + momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "look-ahead kept in the velocity", "nesterov changes the step alone: return momentum * velocity "
             "+ g as the velocity")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity = momentum * velocity + g
    if nesterov:
        velocity = g + momentum * velocity
    return p - lr * velocity, velocity


@drill.wrong(sgd_step, "nesterov's g without the decay", "the gradient with the weight decay in it is what the step "
             "takes: g = g + weight_decay * p first")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    velocity = momentum * velocity + g + weight_decay * p
    return p - lr * (g + momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "decay apart from the gradient", "here weight_decay * p is part of the gradient and enters the "
             "velocity; AdamW is what keeps it apart")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    velocity = momentum * velocity + g
    return p - lr * (g + momentum * velocity if nesterov else velocity) - lr * weight_decay * p, velocity


@drill.wrong(sgd_step, "weight decay forgotten", "weight_decay * p is added to the gradient")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    velocity = momentum * velocity + g
    return p - lr * (g + momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "the weights grow", "the decay is a gradient that makes weights smaller: g + weight_decay * p, "
             "and the step is subtracted")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g - weight_decay * p
    velocity = momentum * velocity + g
    return p - lr * (g + momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "uphill", "the gradient points to where the loss grows: subtract the step")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity = momentum * velocity + g
    return p + lr * (g + momentum * velocity if nesterov else velocity), velocity


@drill.wrong(sgd_step, "arguments changed in place", "*=, += and -= write into the caller's arrays; p = p - lr * step "
             "makes a new one")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity *= momentum
    velocity += g
    p -= lr * (g + momentum * velocity if nesterov else velocity)
    return p, velocity


@drill.wrong(sgd_step, "arguments changed in place", "*= and += write into the caller's arrays; momentum * velocity + "
             "g makes a new one")
def _(p, g, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    g = g + weight_decay * p
    velocity *= momentum
    velocity += g
    return p - lr * (g + momentum * velocity if nesterov else velocity), velocity

"""Learning rate with warm-up and cosine decay

learning_rate(step, peak, warmup, total, minimum=0.0)  -> float, the learning rate of one step

Steps count from 0; warmup and total are numbers of steps, 0 <= warmup <= total. In the warm-up, step < warmup, the rate
is a straight line from peak / warmup at step 0 to peak at step warmup - 1: peak * (step + 1) / warmup. From step warmup
on it follows half a cosine wave from peak, at step warmup, down to minimum, which it reaches at step total. From step
total on it stays at minimum. warmup may be 0, and it may be total: then there is no cosine.
"""

import math

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=6,
    hints=["Three parts, three ifs: step < warmup, step >= total, and what is in between.",
           "Let progress run from 0, at step warmup, to 1, at step total.",
           "(1 + cos(pi * progress)) / 2 falls from 1 to 0; stretch it between peak and minimum.",
           "minimum + (peak - minimum) * (1 + cos(pi * (step - warmup) / (total - warmup))) / 2"],
    pitfalls=["With the line step / warmup the first step has a rate of 0 and is lost: (step + 1) / warmup.",
              "Beyond total the cosine would rise again: bound the progress, or return the minimum.",
              "Adam's second moment is an average of few gradients at first; warm-up keeps these early steps small."],
)


@drill.reference
def learning_rate(step, peak, warmup, total, minimum=0.0):
    """step: integer from 0, peak: float, warmup, total: numbers of steps, minimum: float -> float"""
    if step < warmup:  # never true for warmup = 0, so that nothing is divided by 0
        return peak * (step + 1) / warmup
    if step >= total:  # nor is anything for warmup = total
        return minimum
    progress = (step - warmup) / (total - warmup)  # 0 at the end of the warm-up, 1 at total
    return minimum + (peak - minimum) * (1 + math.cos(math.pi * progress)) / 2  # from peak to minimum


drill.case(learning_rate, 0, 1.0, 4, 10, why="the first step of the warm-up has the rate peak / warmup, and not 0")
drill.case(learning_rate, 1, 1.0, 4, 10, why="the warm-up is a straight line: peak * (step + 1) / warmup")
drill.case(learning_rate, 3, 0.5, 4, 10, why="the last step of the warm-up has the peak")
drill.case(learning_rate, 4, 0.5, 4, 10, minimum=0.1, why="the cosine begins with the peak, at step warmup")
drill.case(learning_rate, 7, 1.0, 4, 10, why="halfway from warmup to total the rate is halfway from peak to minimum")
drill.case(learning_rate, 7, 1.0, 4, 10, minimum=0.2, why="the cosine falls from peak to minimum: halfway it is at 0.6")
drill.case(learning_rate, 6, 1.0, 4, 10, minimum=0.2, why="(1 + cos(pi * progress)) / 2, with a progress of 1/3")
drill.case(learning_rate, 10, 1.0, 4, 10, minimum=0.2, why="at step total the rate is the minimum")
drill.case(learning_rate, 15, 1.0, 4, 10, minimum=0.2, why="after total the rate stays at the minimum")
drill.case(learning_rate, 0, 1.0, 0, 10, why="without a warm-up the first step has the peak")
drill.case(learning_rate, 5, 1.0, 5, 5, minimum=0.2, why="with warmup = total there is no cosine to divide by its "
           "length")
drill.case(learning_rate, 2, 0.3, 3, 50, minimum=0.1, why="the warm-up ends at the peak, whatever the minimum is")


@drill.program(why="the rate rises to the peak, falls to the minimum, and stays there")
def _(learning_rate):
    """learning_rate of steps 0 to 29, with warmup = 5 and total = 25"""
    rates = [float(learning_rate(step, 0.01, 5, 25, 0.001)) for step in range(30)]
    if any(later <= rate for rate, later in zip(rates[:5], rates[1:5])):
        return "the rate does not rise in the warm-up"
    if any(later >= rate for rate, later in zip(rates[5:26], rates[6:26])):
        return "the rate does not fall after the warm-up"
    return rates


def wave(progress):
    """Half a cosine wave from 1 to 0, for the wrong answers."""
    return (1 + math.cos(math.pi * progress)) / 2


def parts(step, peak, warmup, total, minimum, falling=None, rising=None):
    """The right rate, with another one in the warm-up (rising) or in the decay (falling, by its progress)."""
    if step < warmup:
        return peak * (step + 1) / warmup if rising is None else rising
    if step >= total:
        return minimum
    progress = (step - warmup) / (total - warmup)
    return falling(progress) if falling else minimum + (peak - minimum) * wave(progress)


@drill.wrong(learning_rate, "warm-up from 0", "step / warmup gives the first step a rate of 0; here it is (step + 1) "
             "/ warmup")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum, rising=peak * step / max(warmup, 1))


@drill.wrong(learning_rate, "warm-up from the minimum", "the line goes from peak / warmup to peak; the minimum is for "
             "the end")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum, rising=minimum + (peak - minimum) * (step + 1) / max(warmup, 1))


@drill.wrong(learning_rate, "warm-up by warmup + 1", "(step + 1) / (warmup + 1) does not reach the peak in the warm-up")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum, rising=peak * (step + 1) / (warmup + 1))


@drill.wrong(learning_rate, "progress counted from step 0", "the cosine begins at step warmup: step / total is too "
             "far on")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda _: minimum + (peak - minimum) * wave(step / total))


@drill.wrong(learning_rate, "the warm-up multiplies the cosine", "the cosine begins where the warm-up ends; "
             "multiplied with each other they never reach the peak")
def _(step, peak, warmup, total, minimum=0.0):
    if step >= total:
        return minimum
    return (minimum + (peak - minimum) * wave(step / total)) * min(1.0, (step + 1) / max(warmup, 1))


@drill.wrong(learning_rate, "progress divided by total", "the cosine has total - warmup steps: (step - warmup) / "
             "total ends above the minimum")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda _: minimum + (peak - minimum) * wave((step - warmup) / total))


@drill.wrong(learning_rate, "a quarter of a wave", "cos(pi / 2 * progress) is steep at the end; it is (1 + cos(pi * "
             "progress)) / 2")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda progress: minimum + (peak - minimum) * math.cos(math.pi / 2 * progress))


@drill.wrong(learning_rate, "a whole wave", "cos(2 pi * progress) rises again halfway; half a wave goes from 1 to 0")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda progress: minimum + (peak - minimum) * wave(2 * progress))


@drill.wrong(learning_rate, "pi forgotten", "math.cos takes radians, and half a wave is pi of them")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda progress: minimum + (peak - minimum) * (1 + math.cos(progress)) / 2)


@drill.wrong(learning_rate, "the half forgotten", "1 + cos runs from 2 to 0: halve it, or the rate begins at twice "
             "the peak")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda progress: minimum + 2 * (peak - minimum) * wave(progress))


@drill.wrong(learning_rate, "a straight line down", "the decay is half a cosine wave, flat at both ends")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda progress: minimum + (peak - minimum) * (1 - progress))


@drill.wrong(learning_rate, "the minimum added on top", "minimum + peak * wave begins above the peak: stretch by peak "
             "- minimum")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda progress: minimum + peak * wave(progress))


@drill.wrong(learning_rate, "cut off at the minimum", "max(minimum, …) stops a decay to 0; the wave itself ends at "
             "the minimum")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum,
                 lambda progress: max(minimum, peak * wave(progress)))


@drill.wrong(learning_rate, "the minimum forgotten", "the decay ends at the minimum and not at 0")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, 0.0)


@drill.wrong(learning_rate, "the cosine goes on after total", "beyond total it rises again: return the minimum, or "
             "bound the progress by 1")
def _(step, peak, warmup, total, minimum=0.0):
    if step < warmup:
        return peak * (step + 1) / warmup
    return minimum + (peak - minimum) * wave((step - warmup) / max(total - warmup, 1))


@drill.wrong(learning_rate, "0 / 0 for warmup = total", "where there is no cosine nothing is divided by its length: "
             "ask for step >= total first")
def _(step, peak, warmup, total, minimum=0.0):
    if step < warmup:
        return peak * (step + 1) / warmup
    return minimum + (peak - minimum) * wave(min(1.0, (step - warmup) / (total - warmup)))


@drill.wrong(learning_rate, "0 / 0 without warm-up", "warmup may be 0: divide by it only in the warm-up")
def _(step, peak, warmup, total, minimum=0.0):
    return parts(step, peak, warmup, total, minimum, rising=peak * (step + 1) / warmup)


@drill.wrong(learning_rate, "the warm-up a step too long", "step warmup is the first of the cosine: step < warmup")
def _(step, peak, warmup, total, minimum=0.0):
    if step <= warmup:
        return peak * (step + 1) / max(warmup, 1)
    return parts(step, peak, warmup, total, minimum)

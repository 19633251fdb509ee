"""Beam search with length normalization

beam_search(log_probabilities, start, eos, width, max_length, alpha)   -> tokens (a list of ints), score

log_probabilities(tokens) takes a list of tokens, the first of which is start, and returns an array (V,): the logarithms
of the probabilities of the token that comes next. A hypothesis is a list of tokens with the sum of its
log-probabilities. The beam begins with [start] alone, of sum 0. In each step every hypothesis in the beam is extended
by every token, and of all these extensions together the `width` with the largest sums are kept. Those of them that end
in eos are finished: they leave the beam, and nothing follows on them. The others are the beam of the next step, which
keeps `width` again.

The search ends after max_length steps, or when the beam is empty; what then is in the beam counts as finished as well.
The score of a hypothesis is its sum divided by L ** alpha, where L is the number of its tokens without start but with
eos. The result is the finished hypothesis with the largest score, start and eos included, and that score. No two sums
are equal.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["Keep two lists of pairs (tokens, sum): the beam, and what is finished.",
           "tokens + [token] makes a new list. tokens.append(token) would change what all extensions share.",
           "Collect the extensions of all hypotheses in one list, sort it by the sums, and keep the first `width`.",
           "Sort what is kept: what ends in eos goes to the finished, the rest is the new beam.",
           "At the end add the beam to the finished, and take the max by sum / (len(tokens) - 1) ** alpha."],
    pitfalls=["Add logarithms: a product of hundreds of probabilities underflows to 0.",
              "Each token makes the sum smaller, so that short hypotheses win without a division by the length.",
              "Each step costs width * V scores and a sort: np.argpartition finds the best in linear time."],
)


@drill.reference
def beam_search(log_probabilities, start, eos, width, max_length, alpha):
    """log_probabilities: list of tokens -> (V,), start, eos, width, max_length: int -> tokens, score"""
    beam, finished = [([start], 0.0)], []  # hypotheses: tokens, and the sum of their log-probabilities
    for _ in range(max_length):
        extended = [(tokens + [token], total + float(value))  # a new list each, since they share their beginning
                    for tokens, total in beam for token, value in enumerate(log_probabilities(tokens))]
        extended.sort(key=lambda hypothesis: hypothesis[1], reverse=True)
        kept = extended[:width]  # of all extensions together: one hypothesis may have several, another none
        finished += [(tokens, total) for tokens, total in kept if tokens[-1] == eos]
        beam = [(tokens, total) for tokens, total in kept if tokens[-1] != eos]
    scored = [(total / (len(tokens) - 1) ** alpha, tokens) for tokens, total in finished + beam]
    score, tokens = max(scored)  # normalized only here: sums within a step are of one length
    return tokens, score


S, E, A, B = range(4)  # the tokens of the small models: start, eos, a, b
TABLES = {
    # what follows on start, eos, a and b, with which probabilities
    "early": [[0.01, 0.02, 0.57, 0.40], [0.97, 0.01, 0.01, 0.01], [0.05, 0.45, 0.26, 0.24], [0.01, 0.96, 0.01, 0.02]],
    "short": [[0.01, 0.45, 0.50, 0.04], [0.96, 0.01, 0.02, 0.01], [0.02, 0.07, 0.01, 0.90], [0.01, 0.80, 0.12, 0.07]],
}


def chain(name):
    """A model whose next token depends on the last alone"""
    return lambda tokens: np.log(TABLES[name][tokens[-1]])


def random_model(seed, size):
    """A model whose next token depends on all that went before"""
    def log_probabilities(tokens):
        scores = 1.5 * np.random.default_rng([seed, *map(int, tokens)]).standard_normal(size)
        return scores - np.log(np.exp(scores).sum())
    return log_probabilities


def all_hypotheses(log_probabilities, tokens, total, eos, steps):
    """All hypotheses that begin with these tokens, with their sums"""
    if steps == 0 or tokens[-1] == eos:
        yield tokens, total
        return
    for token, value in enumerate(log_probabilities(tokens)):
        yield from all_hypotheses(log_probabilities, [*tokens, token], total + value, eos, steps - 1)


@drill.program(why="0.57 * 0.45 is less than 0.40 * 0.96: the second best beginning leads to the best end")
def _(beam_search):
    """beam_search with width 2: start, then a (0.57) or b (0.40); eos follows on a (0.45) and on b (0.96)"""
    return beam_search(chain("early"), S, E, 2, 5, 0.0)


@drill.program(why="a beam of width 1 is greedy: the best token in each step")
def _(beam_search):
    """beam_search with width 1: start, then a (0.57) or b (0.40); eos follows on a (0.45) and on b (0.96)"""
    return beam_search(chain("early"), S, E, 1, 5, 0.0)


@drill.program(why="without normalization short hypotheses win; divide the sum by L ** alpha before you compare")
def _(beam_search):
    """beam_search with alpha 0 and 1: start eos has 0.45, start a b eos has 0.50 * 0.90 * 0.80"""
    model = chain("short")
    return [*beam_search(model, S, E, 3, 3, 0.0), *beam_search(model, S, E, 3, 3, 1.0)]


@drill.program(why="what is in the beam after max_length steps counts as well, without eos")
def _(beam_search):
    """beam_search with max_length 2, alpha 1: start eos has 0.45, start a b has 0.50 * 0.90"""
    return beam_search(chain("short"), S, E, 3, 2, 1.0)


@drill.program(why="nothing follows on eos: what is finished leaves the beam")
def _(beam_search):
    """beam_search, where log_probabilities looks at what it is asked for"""
    asked, model = [], random_model(1, 4)
    beam_search(lambda tokens: asked.append(list(tokens)) or model(tokens), 0, 1, 3, 5, 0.7)
    if any(1 in tokens for tokens in asked):
        return "asked what follows on eos"
    if any(tokens[:1] != [0] for tokens in asked):
        return "asked what follows on tokens that do not begin with start"


# models on which each of the wrong answers gives something else
for seed, size, width, length, alpha in ((851, 6, 4, 5, 1.0), (867, 6, 2, 6, 0.7), (369, 4, 3, 6, 1.0),
                                         (50, 5, 3, 6, 0.7), (14, 4, 2, 7, 0.5)):
    drill.case(beam_search, random_model(seed, size), 0, 1, width, length, alpha,
               why="extend all, keep the best of all by their sums, set aside what is finished, compare scores last")
drill.case(beam_search, random_model(748, 3), 0, 1, 20, 4, 1.0, why="width may be more than there are extensions")
drill.case(beam_search, lambda tokens: np.log([0.001, 0.0005, 0.9, 0.0985]) - 200, 0, 1, 2, 5, 1.0,
           why="the product of these probabilities underflows to 0 after four tokens: add logarithms")


@drill.program(why="a beam that is wide enough for all hypotheses finds the best of all")
def _(beam_search):
    """the score of beam_search with width 300 minus the best score of all hypotheses, for five models and alphas"""
    found = []
    for seed, alpha in enumerate((0.0, 0.5, 1.0, 1.0, 2.0)):
        model = random_model(20 + seed, 4)
        scores = [total / (len(tokens) - 1) ** alpha for tokens, total in all_hypotheses(model, [0], 0.0, 1, 4)]
        found.append(beam_search(model, 0, 1, 300, 4, alpha)[1] - max(scores))
    return found


def expanded(log_probabilities, beam):
    """All extensions, the best first; and the best of finished hypotheses: for wrong answers that go wrong elsewhere"""
    extended = [(tokens + [token], total + value) for tokens, total in beam
                for token, value in enumerate(log_probabilities(tokens))]
    return sorted(extended, key=lambda hypothesis: -hypothesis[1])


def best(finished, alpha):
    score, tokens = max((total / (len(tokens) - 1) ** alpha, tokens) for tokens, total in finished)
    return tokens, score


def parted(hypotheses, eos):
    """Those that go on, and those that are finished"""
    return [h for h in hypotheses if h[0][-1] != eos], [h for h in hypotheses if h[0][-1] == eos]


def searched(log_probabilities, start, eos, width, max_length):
    """All finished hypotheses of a search that is right"""
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        beam, ended = parted(expanded(log_probabilities, beam)[:width], eos)
        finished += ended
    return finished + beam


@drill.wrong(beam_search, "greedy", "only the best hypothesis is extended here; keep `width` of them")
def _(log_probabilities, start, eos, width, max_length, alpha):
    return best(searched(log_probabilities, start, eos, 1, max_length), alpha)


@drill.wrong(beam_search, "the best of each hypothesis", "`width` extensions of each hypothesis are kept here, and the "
             "beam grows from step to step; keep the best of all extensions together")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        kept = [each for hypothesis in beam for each in expanded(log_probabilities, [hypothesis])[:width]]
        beam, ended = parted(kept, eos)
        finished += ended
    return best(finished + beam, alpha)


@drill.wrong(beam_search, "the best of each hypothesis", "one extension of each hypothesis is kept here; several of "
             "one may be better than all of another: compare all extensions together")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, ended = parted(expanded(log_probabilities, [([start], 0.0)])[:width], eos)
    finished = ended
    for _ in range(max_length - 1):
        beam, ended = parted([expanded(log_probabilities, [hypothesis])[0] for hypothesis in beam], eos)
        finished += ended
    return best(finished + beam, alpha)


@drill.wrong(beam_search, "finished hypotheses go on", "nothing follows on eos: take what ends in it out of the beam")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam = [([start], 0.0)]
    for _ in range(max_length):
        beam = expanded(log_probabilities, beam)[:width]
    return best(beam, alpha)


@drill.wrong(beam_search, "finished hypotheses lost", "what ends in eos leaves the beam, and is kept aside for the end")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam = [([start], 0.0)]
    for _ in range(max_length):
        beam = parted(expanded(log_probabilities, beam)[:width], eos)[0]
    return best(beam, alpha)


@drill.wrong(beam_search, "unfinished hypotheses lost", "what is in the beam at the end counts as well")
def _(log_probabilities, start, eos, width, max_length, alpha):
    found = searched(log_probabilities, start, eos, width, max_length)
    beam, finished = parted(found, eos)
    return best(finished or beam, alpha)


@drill.wrong(beam_search, "finished hypotheses keep their places", "here what is finished competes with the beam in "
             "every later step; it leaves the beam, which then is filled up to `width` again")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam = [([start], 0.0)]
    for _ in range(max_length):
        live, ended = parted(beam, eos)
        beam = sorted(expanded(log_probabilities, live) + ended, key=lambda hypothesis: -hypothesis[1])[:width]
    return best(beam, alpha)


@drill.wrong(beam_search, "finished hypotheses keep their places", "for each that is finished the beam has a place "
             "less here; what is finished leaves the beam, and each step keeps `width` again")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        beam, ended = parted(expanded(log_probabilities, beam)[: max(width - len(finished), 0)], eos)
        finished += ended
    return best(finished + beam, alpha)


@drill.wrong(beam_search, "every eos counts", "an extension by eos that is not among the `width` best is dropped like "
             "any other")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        beam, ended = parted(expanded(log_probabilities, beam), eos)
        beam, finished = beam[:width], finished + ended
    return best(finished + beam, alpha)


@drill.wrong(beam_search, "the first that is finished", "a longer hypothesis may have the better score: go on until "
             "the beam is empty or max_length is reached")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam = [([start], 0.0)]
    for _ in range(max_length):
        beam, ended = parted(expanded(log_probabilities, beam)[:width], eos)
        if ended:
            return best(ended, alpha)
    return best(beam, alpha)


@drill.wrong(beam_search, "ended when `width` are finished", "a longer hypothesis may have the better score: go on "
             "until the beam is empty or max_length is reached")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        beam, ended = parted(expanded(log_probabilities, beam)[:width], eos)
        finished += ended
        if len(finished) >= width:
            return best(finished, alpha)
    return best(finished + beam, alpha)


@drill.wrong(beam_search, "no length normalization", "each token makes the sum smaller, so that short hypotheses win: "
             "divide by L ** alpha")
def _(log_probabilities, start, eos, width, max_length, alpha):
    return best(searched(log_probabilities, start, eos, width, max_length), 0.0)


@drill.wrong(beam_search, "chosen before the normalization", "the largest sum is not the largest score: divide by L ** "
             "alpha, and then compare")
def _(log_probabilities, start, eos, width, max_length, alpha):
    tokens, total = best(searched(log_probabilities, start, eos, width, max_length), 0.0)
    return tokens, total / (len(tokens) - 1) ** alpha


@drill.wrong(beam_search, "the sum returned as the score", "the score is the sum divided by L ** alpha")
def _(log_probabilities, start, eos, width, max_length, alpha):
    tokens, score = best(searched(log_probabilities, start, eos, width, max_length), alpha)
    return tokens, score * (len(tokens) - 1) ** alpha


@drill.wrong(beam_search, "multiplied by the length", "log-probabilities are negative: a division by L ** alpha makes "
             "up for the length, a multiplication punishes it twice")
def _(log_probabilities, start, eos, width, max_length, alpha):
    return best(searched(log_probabilities, start, eos, width, max_length), -alpha)


@drill.wrong(beam_search, "start counted in the length", "L counts the tokens that were predicted: start was not")
def _(log_probabilities, start, eos, width, max_length, alpha):
    found = searched(log_probabilities, start, eos, width, max_length)
    score, tokens = max((total / len(tokens) ** alpha, tokens) for tokens, total in found)
    return tokens, score


@drill.wrong(beam_search, "eos not counted in the length", "L counts the tokens that were predicted, and eos was")
def _(log_probabilities, start, eos, width, max_length, alpha):
    found = searched(log_probabilities, start, eos, width, max_length)
    lengths = [max(1, len(tokens) - 1 - (tokens[-1] == eos)) for tokens, total in found]
    score, tokens = max((total / n ** alpha, tokens) for n, (tokens, total) in zip(lengths, found))
    return tokens, score


@drill.wrong(beam_search, "max_length counts start", "max_length steps are taken, and none of them adds start")
def _(log_probabilities, start, eos, width, max_length, alpha):
    return best(searched(log_probabilities, start, eos, width, max_length - 1), alpha)


@drill.wrong(beam_search, "a product of probabilities", "it underflows to 0, where all hypotheses are alike: add "
             "logarithms")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 1.0)], []
    for _ in range(max_length):
        extended = [(tokens + [token], total * float(np.exp(value)))
                    for tokens, total in beam for token, value in enumerate(log_probabilities(tokens))]
        extended.sort(key=lambda hypothesis: hypothesis[1], reverse=True)
        finished += [each for each in extended[:width] if each[0][-1] == eos]
        beam = [each for each in extended[:width] if each[0][-1] != eos]
    scored = [(np.log(total) / (len(tokens) - 1) ** alpha, tokens) for tokens, total in finished + beam]
    score, tokens = max(scored)
    return tokens, score


@drill.wrong(beam_search, "log-probabilities not added up", "here the last token alone decides; add its "
             "log-probability to the sum of those before")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        fresh = [(tokens, 0.0) for tokens, _ in beam]
        beam, ended = parted(expanded(log_probabilities, fresh)[:width], eos)
        finished += ended
    return best(finished + beam, alpha)


@drill.wrong(beam_search, "the worst kept", "sort() begins with the smallest sums: reverse=True")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        beam, ended = parted(expanded(log_probabilities, beam)[::-1][:width], eos)
        finished += ended
    return best(finished + beam, alpha)


@drill.wrong(beam_search, "one list for all extensions", "append changes the list that all extensions of a hypothesis "
             "share; tokens + [token] makes a new one")
def _(log_probabilities, start, eos, width, max_length, alpha):
    beam, finished = [([start], 0.0)], []
    for _ in range(max_length):
        extended = []
        for tokens, total in beam:
            for token, value in enumerate(log_probabilities(tokens)):
                tokens.append(token)
                extended.append((tokens, total + value))
        beam, ended = parted(sorted(extended, key=lambda hypothesis: -hypothesis[1])[:width], eos)
        finished += ended
    return best(finished + beam, alpha)

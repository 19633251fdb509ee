"""Beam search where greedy goes wrong: the best first word does not start the best sentence.

    python examples/patterns/05_beam_search.py
"""

import numpy as np

import tinygrad_lite as tl

WORDS = ["<s>", "the", "a", "dog", "cat", "runs", "</s>"]
NEXT = {  # after a word: the next ones with their probabilities
    "<s>": {"the": 0.55, "a": 0.45}, "the": {"dog": 0.4, "cat": 0.35, "runs": 0.25}, "a": {"dog": 0.95, "cat": 0.05},
    "dog": {"runs": 0.9, "</s>": 0.1}, "cat": {"runs": 0.5, "</s>": 0.5}, "runs": {"</s>": 1.0}, "</s>": {"</s>": 1.0},
}


def model(sequence):
    """Log-probabilities of the next word."""
    after = NEXT[WORDS[sequence[-1]]]
    with np.errstate(divide="ignore"):
        return np.log([after.get(word, 0.0) for word in WORDS])


for size in (1, 2, 5):
    print(f"beam_size {size}")
    for sequence, score in tl.nn.generation.beam_search(model, 0, beam_size=size, max_len=6, eos_token=6, n_best=3):
        total = score * len(sequence) ** 0.6
        print(f"   {score:7.3f}  probability {np.exp(total):.3f}  {' '.join(WORDS[token] for token in sequence)}")

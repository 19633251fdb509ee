"""Byte-pair encoding

merge(symbols, pair)   list of symbols, (left, right) -> the list in which each left, right is one symbol, left + right
train(words, count)    list of words, int -> list of at most count pairs, in the order in which they are learned
encode(word, merges)   a word, list of pairs -> the list of its symbols

Symbols are strings; at first each character of a word is one. merge goes from left to right: of a, a, a the first two
become aa. train looks for the pair of neighbors that occurs most often, merges it in all words, and begins again. A
word that occurs three times in the list counts three times; pairs never reach from one word into the next. Each place
in a word counts, even where places overlap: a, a, a has the pair (a, a) twice. Of pairs that occur equally often the
smallest in Python's order is taken: ("a", "z") before ("b", "a"). A pair that occurs only once is merged as well. When
no pair is left, train ends with fewer merges. encode applies the merges one after another in the order in which they
were learned, each at all its places.
"""

from collections import Counter

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["merge: walk with an index, and go on by 2 after a pair and by 1 otherwise. Do not forget the last symbol.",
           "zip(symbols, symbols[1:]) gives the pairs of neighbors of a word; a Counter counts them.",
           "After each merge there are new symbols and new pairs: count again.",
           "min(counts, key=lambda pair: (-counts[pair], pair)) is the most frequent and then the smallest.",
           "encode: start from list(word), and call merge for each of the merges, in their order."],
    pitfalls=["encode repeats what train has done, in the same order: it does not look for the longest symbols.",
              "replace(\"a b\", \"ab\") in a text also finds the end of a longer symbol: xa b. Compare whole symbols.",
              "Counting all again after each merge is slow: real trainers count anew only in words that have changed."],
)


@drill.reference
def merge(symbols, pair):
    """symbols: list of strings, pair: (left, right) -> list of strings, with left + right wherever the pair stood"""
    merged, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == tuple(pair):  # the last symbol alone is never a pair
            merged.append(symbols[i] + symbols[i + 1])
            i += 2  # both are used up: of a, a, a the second is no longer free
        else:
            merged.append(symbols[i])
            i += 1
    return merged


@drill.reference
def train(words, count):
    """words: list of strings, count: int -> list of pairs (left, right), in the order in which they are learned"""
    words = [list(word) for word in words]  # lists of their own: no pair reaches over the end of a word
    merges = []
    for _ in range(count):
        counts = Counter(pair for symbols in words for pair in zip(symbols, symbols[1:]))
        if not counts:  # each word is one symbol
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))  # most often, and then the smallest
        merges.append(best)
        words = [merge(symbols, best) for symbols in words]
    return merges


@drill.reference
def encode(word, merges):
    """word: string, merges: list of pairs in the order in which they were learned -> list of symbols"""
    symbols = list(word)
    for pair in merges:  # the same steps as in training, so that known words get the same symbols
        symbols = merge(symbols, pair)
    return symbols


corpus = ("low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3).split()
chapter = ("the cat sat on the mat and the rat ate the oats that the cat had left on the table then banana bandana "
           "aaaa baaa essence sessions assesses").split()
chapter_merges = train(chapter, 40)

drill.case(merge, ["a", "b", "c", "a", "b"], ("a", "b"), why="each place where the pair stands becomes one symbol")
drill.case(merge, ["a", "a", "a"], ("a", "a"), why="the second a belongs to the first pair and cannot be used again")
drill.case(merge, ["a", "b", "a", "b", "a"], ("b", "a"), why="from left to right, and symbols around the pair stay")
drill.case(merge, ["a", "b", "c"], ("a", "b"), why="the last symbol stays, although it has no right neighbor")
drill.case(merge, ["xa", "b", "a", "by", "a", "b"], ("a", "b"),
           why="xa ends with a, but it is another symbol: compare whole symbols")
drill.case(train, ["hug", "hug", "hug", "pun", "bun"], 2, why="a word that occurs three times counts three times")
drill.case(train, ["cd", "ab"], 2, why="of equally frequent pairs the smallest comes first")
drill.case(train, ["ba", "ba", "ba"], 3,
           why="pairs do not reach into the next word; when no pair is left, there are fewer merges")
drill.case(train, ["zzz", "ab"], 1, why="z, z, z has the pair (z, z) at two places")
drill.case(train, ["abab", "abc", "abc"], 4, why="after a merge there are new symbols: count the pairs again")
drill.case(train, corpus, 10, why="the most frequent pair is merged in all words before the next one is looked for")
drill.case(train, chapter, 40, why="the most frequent pair is merged in all words before the next one is looked for")
drill.case(encode, "abc", [("b", "c"), ("a", "b")], why="(b, c) was learned first, so it is applied first, "
           "though (a, b) stands further left")
drill.case(encode, "abcd", [("a", "b"), ("b", "c"), ("bc", "d")],
           why="bcd is the longest symbol, but (a, b) was learned first and has used up the b")
drill.case(encode, "abc", [("b", "c"), ("a", "bc"), ("a", "b")],
           why="merges build upon earlier ones: a, bc becomes abc")
drill.case(encode, "abxab", [("a", "b")], why="a merge is applied at all its places")
drill.case(encode, "abc", [("ab", "c"), ("a", "b")],
           why="a merge is done when its turn comes and not again: ab did not exist when (ab, c) was tried")
drill.case(encode, "abc", [], why="without merges the symbols are the characters, in a list")
drill.case(encode, "xyz", [("a", "b")], why="without a pair that is known the characters stay")


@drill.program(why="encode repeats the merges of train, so the symbols together are the word again")
def _(train, encode):
    """encode of known and unknown words with the merges of train(words, 40)"""
    merges = train([*chapter], 40)
    found = []
    for word in [*chapter, "tatter", "bananas", "aaaaa", "session", "q", "catatonic"]:
        symbols = encode(word, [*merges])
        if "".join(symbols) != word:
            return f"the symbols of {word!r} are {symbols}, which is another word"
        found.append(symbols)
    return found


@drill.wrong(merge, "the same symbol used twice", "after a pair the index goes on by 2: its right symbol is used up")
def _(symbols, pair):
    merged = []
    for i in range(len(symbols)):
        joined = tuple(symbols[i : i + 2]) == tuple(pair)
        merged.append(pair[0] + pair[1] if joined else symbols[i])
    return merged


@drill.wrong(merge, "the same symbol used twice", "after a pair the index goes on by 2: its right symbol is used up")
def _(symbols, pair):
    starts = [i for i in range(len(symbols) - 1) if (symbols[i], symbols[i + 1]) == tuple(pair)]
    return [pair[0] + pair[1] if i in starts else symbols[i] for i in range(len(symbols))
            if i in starts or i - 1 not in starts]


@drill.wrong(merge, "the last symbol lost", "where the loop ends before the last symbol, which has no right neighbor, "
             "that symbol must still be appended")
def _(symbols, pair):
    merged, i = [], 0
    while i < len(symbols) - 1:
        joined = (symbols[i], symbols[i + 1]) == tuple(pair)
        merged.append(pair[0] + pair[1] if joined else symbols[i])
        i += 2 if joined else 1
    return merged


@drill.wrong(merge, "only the first place merged", "the pair is merged at all its places, not at the first alone")
def _(symbols, pair):
    for i in range(len(symbols) - 1):
        if (symbols[i], symbols[i + 1]) == tuple(pair):
            return [*symbols[:i], pair[0] + pair[1], *symbols[i + 2 :]]
    return symbols


@drill.wrong(merge, "part of a longer symbol merged", "the text \"xa b\" has \"a b\" in it, but xa is another symbol; "
             "compare whole symbols")
def _(symbols, pair):
    return " ".join(symbols).replace(" ".join(pair), "".join(pair)).split()


@drill.wrong(merge, "from right to left", "of a, a, a the first two are merged: walk from the left")
def _(symbols, pair):
    symbols = list(symbols)
    for i in range(len(symbols) - 2, -1, -1):
        if tuple(symbols[i : i + 2]) == tuple(pair):
            symbols[i : i + 2] = [pair[0] + pair[1]]
    return symbols


def places(symbols):
    """The pairs of neighbors, for the wrong answers."""
    return [*zip(symbols, symbols[1:])]


def smallest(counts):
    """The pair that train is to take."""
    return min(counts, key=lambda pair: (-counts[pair], pair))


def learned(words, count, pairs=places, best=smallest, least=1):
    """train with other pairs of a word, or with another choice among them, or without those that are too rare."""
    words, merges = [list(word) for word in words], []
    for _ in range(count):
        counts = Counter(pair for symbols in words for pair in pairs(symbols))
        if max(counts.values(), default=0) < least:
            break
        merges.append(best(counts))
        words = [merge(symbols, merges[-1]) for symbols in words]
    return merges


@drill.wrong(train, "merged across words", "the end of one word and the start of the next are no pair: keep a list of "
             "symbols for each word")
def _(words, count):
    return learned(["".join(words)], count)


@drill.wrong(train, "merged across words", "the space between words is no symbol: keep a list of symbols for each word")
def _(words, count):
    return learned([" ".join(words)], count)


@drill.wrong(train, "each word counted once", "a pair counts as often as its word occurs; a set of words forgets that")
def _(words, count):
    return learned(dict.fromkeys(words), count)


@drill.wrong(train, "not every place counted", "a pair that occurs twice in a word counts twice: count in a list of "
             "the pairs, not in a set")
def _(words, count):
    return learned(words, count, pairs=lambda symbols: {*places(symbols)})


@drill.wrong(train, "not every place counted", "a, a, a has the pair (a, a) at two places, which overlap; text.count "
             "sees one")
def _(words, count):
    return learned(words, count, pairs=lambda symbols: [pair for pair in {*places(symbols)}
                                                       for _ in range(len(symbols) - len(merge(symbols, pair)))])


@drill.wrong(train, "ties by the order of appearance", "max(counts, key=counts.get) takes the pair that was met first; "
             "the prompt asks for the smallest")
def _(words, count):
    return learned(words, count, best=lambda counts: max(counts, key=counts.get))


@drill.wrong(train, "the largest of equal pairs", "max over (counts[pair], pair) takes the largest of equal pairs; "
             "take min over (-counts[pair], pair)")
def _(words, count):
    return learned(words, count, best=lambda counts: max(counts, key=lambda pair: (counts[pair], pair)))


@drill.wrong(train, "pairs that occur once left out", "here such pairs are merged too, until there are count merges")
def _(words, count):
    return learned(words, count, least=2)


@drill.wrong(train, "no end without pairs", "when each word is one symbol there is no pair to take: end the loop")
def _(words, count):
    words, merges = [list(word) for word in words], []
    for _ in range(count):
        merges.append(smallest(Counter(pair for symbols in words for pair in places(symbols))))
        words = [merge(symbols, merges[-1]) for symbols in words]
    return merges


@drill.wrong(train, "counted only once", "the first merge changes the pairs: merge it in all words, and count again")
def _(words, count):
    counts = Counter(pair for word in words for pair in places(word))
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[:count]


@drill.wrong(encode, "from left to right and not by rank", "the pair that was learned first is merged first, wherever "
             "it stands: loop over the merges")
def _(word, merges):
    symbols, i = list(word), 0
    while i < len(symbols) - 1:
        if tuple(symbols[i : i + 2]) in {tuple(pair) for pair in merges}:
            symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
            i = 0
        else:
            i += 1
    return symbols


@drill.wrong(encode, "the longest symbol first", "BPE repeats the merges in their order; the longest symbol from the "
             "left is what WordPiece takes")
def _(word, merges):
    known, symbols, i = {left + right for left, right in merges}, [], 0
    while i < len(word):
        end = next((j for j in range(len(word), i + 1, -1) if word[i:j] in known), i + 1)
        symbols.append(word[i:end])
        i = end
    return symbols


@drill.wrong(encode, "the longest symbol first", "BPE repeats the merges in their order; it does not look for long "
             "ones")
def _(word, merges):
    for symbol in sorted({left + right for left, right in merges}, key=len, reverse=True):
        before, found, after = word.partition(symbol)
        if found:
            return [*encode(before, merges), symbol, *encode(after, merges)]
    return list(word)


@drill.wrong(encode, "repeated until nothing changes", "each merge has its turn once, as in training; a later "
             "merge does not wake an earlier one")
def _(word, merges):
    symbols, before = list(word), None
    while symbols != before:
        before = symbols
        for pair in merges:
            symbols = merge(symbols, pair)
    return symbols


@drill.wrong(encode, "the last merge first", "later merges build upon earlier ones: apply them in the order in which "
             "they were learned")
def _(word, merges):
    symbols = list(word)
    for pair in merges[::-1]:
        symbols = merge(symbols, pair)
    return symbols


@drill.wrong(encode, "each merge at one place", "a merge is applied at all its places in the word")
def _(word, merges):
    symbols = list(word)
    for pair in merges:
        for i in range(len(symbols) - 1):
            if (symbols[i], symbols[i + 1]) == tuple(pair):
                symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
                break
    return symbols

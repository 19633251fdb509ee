"""Text as numbers and back: characters in a few lines, and byte-pair encoding by the `tokenizers` library."""

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.refusals import whole

END = "<|endoftext|>"


def corpus() -> str:
    """Text that every Python carries: what `help()` says of the language's topics, half a megabyte of English.

    Its words depend on the version of Python.

    >>> from tinygrad_lite.data.tokenizers import corpus
    >>> len(corpus()) > 100_000
    True
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def read_text(path: str | Path) -> str:
    r"""The text of a UTF-8 file, with its line ends as \n; ValueError where it is empty or no UTF-8.

    >>> from pathlib import Path
    >>> from tinygrad_lite.data.tokenizers import read_text
    >>> _ = Path("hello.txt").write_bytes(b"Hello\r\nthere")
    >>> read_text("hello.txt")
    'Hello\nthere'
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is {error.object[error.start]:#04x}"
        raise ValueError(f"read_text: {path} is no UTF-8 text: {found}") from None
    if not text:
        raise ValueError(f"read_text: {path} is empty")
    return text.replace("\r\n", "\n")


class CharTokenizer:
    """Text as numbers, one for each character that it knows: 0, 1, 2, … in the order of Unicode.

    It is made of a text, or of its characters; len(tokenizer) is how many it knows. An empty text is a ValueError.

    >>> from tinygrad_lite.data.tokenizers import CharTokenizer
    >>> tokenizer = CharTokenizer("hello")  # knows e, h, l, o
    >>> tokenizer.encode("hole")
    array([1, 3, 2, 0])
    >>> tokenizer.decode([1, 0, 2, 2, 3])
    'hello'
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = sorted(set(characters))
        if not self.characters or not all(isinstance(c, str) and len(c) == 1 for c in self.characters):
            raise ValueError("CharTokenizer: it takes a text, or its characters, one at least")
        self._ids = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """The numbers (T,) of a text, int64; a ValueError names a character that it does not know, and where it is."""
        try:
            return np.array([self._ids[c] for c in text], np.int64)
        except KeyError as error:
            c = error.args[0]
            raise ValueError(f"CharTokenizer: {c!r}, character {text.index(c)} of the text, is none of the {len(self)} "
                             "that it knows") from None

    def decode(self, tokens: Iterable[int]) -> str:
        """The text that numbers stand for; a ValueError names one that stands for nothing."""
        ids = [whole("CharTokenizer: a token is a whole number", int(t), 0) for t in tokens]
        if ids and max(ids) >= len(self):
            raise ValueError(f"CharTokenizer: token {max(ids)} is none of the {len(self)} that it knows")
        return "".join(self.characters[i] for i in ids)

    def to_json(self) -> str:
        """The tokenizer as JSON text, which `parse_tokenizer` reads."""
        return json.dumps({"type": "characters", "characters": self.characters})

    def save(self, path: str | Path) -> None:
        """Write the tokenizer to a JSON file, which `load_tokenizer` reads."""
        Path(path).write_text(self.to_json(), encoding="utf-8")


class BPETokenizer:
    """Byte-pair encoding: tokens are bytes and sequences of them that are frequent, so that any text can be encoded.

    `train` makes one from a text, `load_tokenizer` reads one; it is the `tokenizers` library's, `inner`, and an
    ImportError says so where that is not installed. len(tokenizer) is how many tokens there are. From Sennrich
    et al., 2016.

    >>> from tinygrad_lite.data.tokenizers import BPETokenizer
    >>> tokenizer = BPETokenizer.train("low lower lowest " * 100, vocab_size=265)
    >>> len(tokenizer.encode("lowest")) < len("lowest"), tokenizer.decode(tokenizer.encode("slow"))
    (True, 'slow')
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    @classmethod
    def train(cls, text: str, vocab_size: int = 512) -> "BPETokenizer":
        """A tokenizer of vocab_size tokens: the 256 bytes, an end of text, and a text's most frequent pairs."""
        lib = _library()
        whole("BPETokenizer: vocab_size is a whole number from 257 on", vocab_size, 257)
        inner = lib.Tokenizer(lib.models.BPE())
        inner.pre_tokenizer = lib.pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = lib.decoders.ByteLevel()
        inner.train_from_iterator(text.splitlines(keepends=True), lib.trainers.BpeTrainer(
            vocab_size=vocab_size, special_tokens=[END], show_progress=False,
            initial_alphabet=lib.pre_tokenizers.ByteLevel.alphabet()))
        return cls(inner)

    @property
    def end(self) -> int | None:
        """The token that ends a text; None where there is none."""
        return self.inner.token_to_id(END)

    def __len__(self) -> int:
        return self.inner.get_vocab_size()

    def encode(self, text: str) -> np.ndarray:
        """The numbers (T,) of a text, int64."""
        return np.array(self.inner.encode(text, add_special_tokens=False).ids, np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text that numbers stand for."""
        return self.inner.decode([int(t) for t in tokens], skip_special_tokens=False)

    def to_json(self) -> str:
        """The tokenizer as the JSON text of the `tokenizers` library, which `parse_tokenizer` and others read."""
        return self.inner.to_str()

    def save(self, path: str | Path) -> None:
        """Write the tokenizer to a tokenizer.json, which `load_tokenizer` and others read."""
        self.inner.save(str(path))


def load_tokenizer(path: str | Path) -> CharTokenizer | BPETokenizer:
    """Read a tokenizer from a file that `save` wrote, or from a tokenizer.json, such as GPT-2's.

    Another kind of file is a ValueError.

    >>> from tinygrad_lite.data.tokenizers import CharTokenizer, load_tokenizer
    >>> CharTokenizer("abc").save("letters.json")
    >>> load_tokenizer("letters.json").encode("cab")
    array([2, 0, 1])
    """
    return parse_tokenizer(Path(path).read_text(encoding="utf-8"), str(path))


def parse_tokenizer(text: str, name: str = "the text") -> CharTokenizer | BPETokenizer:
    """The tokenizer that the text of a tokenizer.json describes, or the one that `to_json` gave.

    Another text is a ValueError, which calls it `name`.

    >>> from tinygrad_lite.data.tokenizers import CharTokenizer, parse_tokenizer
    >>> text = CharTokenizer("abc").to_json()
    >>> parse_tokenizer(text).decode([2, 0, 1])
    'cab'
    """
    try:
        said = json.loads(text)
    except json.JSONDecodeError:
        said = None
    if isinstance(said, dict) and said.get("type") == "characters" and "characters" in said:
        return CharTokenizer(said["characters"])
    if isinstance(said, dict) and isinstance(said.get("model"), dict):
        try:
            return BPETokenizer(_library().Tokenizer.from_str(text))
        except Exception as error:  # the library's are of no class of their own
            raise ValueError(f"load_tokenizer: {name} is no tokenizer.json: {error}") from None
    raise ValueError(f"load_tokenizer: {name} is no tokenizer.json")


@functools.cache
def _library() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise ImportError('BPETokenizer needs the tokenizers library: pip install tokenizers') from None
    return tokenizers

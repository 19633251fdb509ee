"""Tokenizers: what goes in comes out, files are read again, and what is unknown is named."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lite.data.tokenizers import BPETokenizer, CharTokenizer, corpus, load_tokenizer, read_text

TEXT = "one for the master, two for the dame, three for the little boy who lives down the lane.\n" * 20


def test_characters_come_back(tmp_path):
    tokenizer = CharTokenizer("hello\nwörld 😀")
    tokens = tokenizer.encode("wörld 😀\nhello")
    assert tokens.dtype == np.int64 and tokens.max() < len(tokenizer) and tokenizer.decode(tokens) == "wörld 😀\nhello"
    tokenizer.save(tmp_path / "tokenizer.json")
    assert load_tokenizer(tmp_path / "tokenizer.json").characters == tokenizer.characters


@pytest.fixture(scope="module")
def bpe():
    pytest.importorskip("tokenizers")
    return BPETokenizer.train(TEXT, 300)


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=40))
def test_byte_pairs_round_trip_any_text(bpe, text):
    assert bpe.decode(bpe.encode(text)) == text


def test_byte_pairs_are_fewer_than_characters_and_are_kept(bpe, tmp_path):
    tokens = bpe.encode(TEXT)
    assert len(tokens) < 0.6 * len(TEXT) and 257 <= len(bpe) <= 300 and tokens.max() < len(bpe) and bpe.end == 0
    bpe.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert again.encode(TEXT).tolist() == tokens.tolist() and again.decode(tokens) == TEXT


def test_a_gpt2_tokenizer_json_is_read(bpe, tmp_path):
    said = json.loads(bpe.inner.to_str())
    said["added_tokens"] = [{"id": said["model"]["vocab"]["<|endoftext|>"], "content": "<|endoftext|>", "special": True, "single_word": False,
                             "lstrip": False, "rstrip": False, "normalized": True}]
    (tmp_path / "tokenizer.json").write_text(json.dumps(said))
    read = load_tokenizer(tmp_path / "tokenizer.json")
    assert read.decode(read.encode("the lane<|endoftext|>")) == "the lane<|endoftext|>" and read.encode("x<|endoftext|>")[-1] == read.end


def test_texts_are_read(tmp_path):
    assert len(corpus()) > 400_000 and "assert" in corpus()
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(tmp_path / "a.txt") == "a\nb"


@pytest.mark.parametrize("call, error, words", [
    (lambda path: CharTokenizer("abc").encode("abXc"), ValueError, "'X', character 2 of the text, is none of the 3"), (lambda path: CharTokenizer(""), ValueError, "takes a text"),
    (lambda path: CharTokenizer("abc").decode([-1]), ValueError, "not -1"), (lambda path: CharTokenizer("abc").decode([3]), ValueError, "3 is none of the 3"),
    (lambda path: read_text(path / "bad"), ValueError, "no UTF-8 text: byte 1 is 0xff"), (lambda path: read_text(path / "empty"), ValueError, "is empty"),
    (lambda path: load_tokenizer(path / "other"), ValueError, "no tokenizer.json"), (lambda path: read_text(path / "none"), FileNotFoundError, "none")])
def test_what_is_wrong_is_told(call, error, words, tmp_path):
    (tmp_path / "bad").write_bytes(b"a\xff")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "other").write_text("{}")
    with pytest.raises(error, match=words):
        call(tmp_path)

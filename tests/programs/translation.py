"""nn.Transformer that translates between two toy languages: causal and padding masks, positions by sines, greedy search."""

import math

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

PAD_IDX, BOS_IDX, EOS_IDX = 0, 1, 2
VOCAB = 12


class PositionalEncoding(nn.Module):
    def __init__(self, emb_size: int, dropout: float, maxlen: int = 64):
        super(PositionalEncoding, self).__init__()
        den = torch.exp(-torch.arange(0, emb_size, 2) * math.log(10000) / emb_size)
        pos = torch.arange(0, maxlen).reshape(maxlen, 1)
        pos_embedding = torch.zeros((maxlen, emb_size))
        pos_embedding[:, 0::2] = torch.sin(pos * den)
        pos_embedding[:, 1::2] = torch.cos(pos * den)
        pos_embedding = pos_embedding.unsqueeze(-2)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pos_embedding", pos_embedding)

    def forward(self, token_embedding: Tensor):
        return self.dropout(token_embedding + self.pos_embedding[:token_embedding.size(0), :])


class Seq2SeqTransformer(nn.Module):
    def __init__(self, emb_size=32, nhead=4, layers=1):
        super().__init__()
        self.emb_size = emb_size
        self.transformer = nn.Transformer(d_model=emb_size, nhead=nhead, num_encoder_layers=layers,
                                          num_decoder_layers=layers, dim_feedforward=64, dropout=0.0)
        self.generator = nn.Linear(emb_size, VOCAB)
        self.src_emb, self.tgt_emb = nn.Embedding(VOCAB, emb_size), nn.Embedding(VOCAB, emb_size)
        self.positional_encoding = PositionalEncoding(emb_size, dropout=0.0)

    def embed(self, table, tokens):
        return self.positional_encoding(table(tokens.long()) * math.sqrt(self.emb_size))

    def forward(self, src, trg, src_mask, tgt_mask, src_padding_mask, tgt_padding_mask, memory_key_padding_mask):
        outs = self.transformer(self.embed(self.src_emb, src), self.embed(self.tgt_emb, trg), src_mask, tgt_mask, None,
                                src_padding_mask, tgt_padding_mask, memory_key_padding_mask)
        return self.generator(outs)

    def encode(self, src, src_mask):
        return self.transformer.encoder(self.embed(self.src_emb, src), src_mask)

    def decode(self, tgt, memory, tgt_mask):
        return self.transformer.decoder(self.embed(self.tgt_emb, tgt), memory, tgt_mask)


def generate_square_subsequent_mask(sz):
    mask = (torch.triu(torch.ones((sz, sz))) == 1).transpose(0, 1)
    return mask.float().masked_fill(mask == 0, float("-inf")).masked_fill(mask == 1, float(0.0))


def create_mask(src, tgt):
    tgt_mask = generate_square_subsequent_mask(tgt.shape[0])
    src_mask = torch.zeros((src.shape[0], src.shape[0])).type(torch.bool)
    return src_mask, tgt_mask, (src == PAD_IDX).transpose(0, 1), (tgt == PAD_IDX).transpose(0, 1)


def batches(steps, size=16):
    """Words of a second language are those of the first, each moved on by one, in the same order."""
    rng = np.random.RandomState(0)
    for _ in range(steps):
        src, tgt = (np.full((n, size), PAD_IDX) for n in (6, 8))
        for column in range(size):
            n = rng.randint(2, 7)
            sentence = rng.randint(3, VOCAB, n)
            src[:n, column] = sentence
            tgt[: n + 2, column] = [BOS_IDX, *(3 + (sentence - 2) % (VOCAB - 3)), EOS_IDX]
        yield torch.from_numpy(src), torch.from_numpy(tgt)


def build():
    model = Seq2SeqTransformer()
    for p in model.parameters():
        if p.dim() > 1:
            nn.init.xavier_uniform_(p)
    return model


def train(model, steps=20):
    loss_fn = torch.nn.CrossEntropyLoss(ignore_index=PAD_IDX)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), eps=1e-5)
    model.train()
    losses = []
    for src, tgt in batches(steps):
        tgt_input = tgt[:-1, :]
        src_mask, tgt_mask, src_padding_mask, tgt_padding_mask = create_mask(src, tgt_input)
        logits = model(src, tgt_input, src_mask, tgt_mask, src_padding_mask, tgt_padding_mask, src_padding_mask)
        optimizer.zero_grad()
        tgt_out = tgt[1:, :]
        loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt_out.reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def greedy_decode(model, src, max_len):
    memory = model.encode(src, torch.zeros(src.shape[0], src.shape[0]).type(torch.bool))
    ys = torch.ones(1, 1).fill_(BOS_IDX).type(torch.long)
    for _ in range(max_len - 1):
        out = model.decode(ys, memory, generate_square_subsequent_mask(ys.size(0)).type(torch.float))
        prob = model.generator(out.transpose(0, 1)[:, -1])
        _, next_word = torch.max(prob, dim=1)
        ys = torch.cat([ys, torch.ones(1, 1).type_as(src.data).fill_(next_word.item())], dim=0)
        if next_word == EOS_IDX:
            break
    return ys.flatten()


if __name__ == "__main__":
    torch.manual_seed(0)
    transformer = build()
    losses = train(transformer, 120)
    transformer.eval()
    print("3 7 4 ->", " ".join(str(w) for w in greedy_decode(transformer, torch.tensor([[3], [7], [4]]), 6).tolist()))
    print("loss %.3f -> %.3f" % (losses[0], losses[-1]))
    assert losses[-1] < losses[0] / 2

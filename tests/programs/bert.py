"""A small BERT: segments, masked words and the next sentence together, GELU by erf, masks of padding from -1e9."""

import math
import re

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

text = ("Hello, how are you? I am Romeo.\n Hello, Romeo My name is Juliet. Nice to meet you.\n"
        "Nice meet you too. How are you today?\n Great. My baseball team won the competition.\n"
        "Oh Congratulations, Juliet\n Thanks you Romeo")
sentences = [s.strip() for s in re.sub("[.,!?\\-]", "", text.lower()).split("\n")]
word_list = sorted(set(" ".join(sentences).split()))
word_dict = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[MASK]": 3, **{w: i + 4 for i, w in enumerate(word_list)}}
number_dict = {i: w for w, i in word_dict.items()}
vocab_size = len(word_dict)
token_list = [[word_dict[s] for s in sentence.split()] for sentence in sentences]
maxlen, batch_size, max_pred, n_layers, n_heads, d_model, d_ff, d_k, d_v, n_segments = 30, 6, 4, 2, 2, 16, 32, 8, 8, 2


def make_batch(seed=0):
    rng, batch, positive, negative = np.random.RandomState(seed), [], 0, 0
    while positive != batch_size / 2 or negative != batch_size / 2:
        a, b = rng.randint(len(sentences)), rng.randint(len(sentences))
        input_ids = [1, *token_list[a], 2, *token_list[b], 2]
        segment_ids = [0] * (1 + len(token_list[a]) + 1) + [1] * (len(token_list[b]) + 1)
        n_pred = min(max_pred, max(1, int(round(len(input_ids) * 0.15))))
        candidates = [i for i, token in enumerate(input_ids) if token not in (1, 2)]
        rng.shuffle(candidates)
        masked_tokens, masked_pos = [], []
        for pos in candidates[:n_pred]:
            masked_pos.append(pos)
            masked_tokens.append(input_ids[pos])
            if rng.rand() < 0.8:
                input_ids[pos] = 3
            elif rng.rand() < 0.5:
                input_ids[pos] = rng.randint(4, vocab_size)
        n_pad = maxlen - len(input_ids)
        input_ids.extend([0] * n_pad)
        segment_ids.extend([0] * n_pad)
        if max_pred > n_pred:
            masked_tokens.extend([0] * (max_pred - n_pred))
            masked_pos.extend([0] * (max_pred - n_pred))
        follows = a + 1 == b
        if follows and positive < batch_size / 2 or not follows and negative < batch_size / 2:
            batch.append([input_ids, segment_ids, masked_tokens, masked_pos, follows])
            positive, negative = positive + follows, negative + (not follows)
    return map(torch.LongTensor, zip(*batch))


def get_attn_pad_mask(seq_q, seq_k):
    batch_size, len_q = seq_q.size()
    batch_size, len_k = seq_k.size()
    return seq_k.data.eq(0).unsqueeze(1).expand(batch_size, len_q, len_k)


def gelu(x):
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


class Embedding(nn.Module):
    def __init__(self):
        super(Embedding, self).__init__()
        self.tok_embed = nn.Embedding(vocab_size, d_model)
        self.pos_embed = nn.Embedding(maxlen, d_model)
        self.seg_embed = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x, seg):
        pos = torch.arange(x.size(1), dtype=torch.long)
        pos = pos.unsqueeze(0).expand_as(x)
        return self.norm(self.tok_embed(x) + self.pos_embed(pos) + self.seg_embed(seg))


class EncoderLayer(nn.Module):
    def __init__(self):
        super(EncoderLayer, self).__init__()
        self.W_Q, self.W_K, self.W_V = (nn.Linear(d_model, d_k * n_heads) for _ in range(3))
        self.fc, self.norm = nn.Linear(n_heads * d_v, d_model), nn.LayerNorm(d_model)
        self.fc1, self.fc2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x, mask):
        residual, n = x, x.size(0)
        q, k, v = (w(x).view(n, -1, n_heads, d_k).transpose(1, 2) for w in (self.W_Q, self.W_K, self.W_V))
        scores = torch.matmul(q, k.transpose(-1, -2)) / np.sqrt(d_k)
        scores.masked_fill_(mask.unsqueeze(1).repeat(1, n_heads, 1, 1), -1e9)
        attn = nn.Softmax(dim=-1)(scores)
        context = torch.matmul(attn, v).transpose(1, 2).contiguous().view(n, -1, n_heads * d_v)
        x = self.norm(self.fc(context) + residual)
        return self.fc2(gelu(self.fc1(x)))


class BERT(nn.Module):
    def __init__(self):
        super(BERT, self).__init__()
        self.embedding = Embedding()
        self.layers = nn.ModuleList([EncoderLayer() for _ in range(n_layers)])
        self.fc, self.activ1 = nn.Linear(d_model, d_model), nn.Tanh()
        self.linear, self.norm = nn.Linear(d_model, d_model), nn.LayerNorm(d_model)
        self.classifier = nn.Linear(d_model, 2)
        embed_weight = self.embedding.tok_embed.weight  # the decoder shares the words' table
        n_vocab, n_dim = embed_weight.size()
        self.decoder = nn.Linear(n_dim, n_vocab, bias=False)
        self.decoder.weight = embed_weight
        self.decoder_bias = nn.Parameter(torch.zeros(n_vocab))

    def forward(self, input_ids, segment_ids, masked_pos):
        output = self.embedding(input_ids, segment_ids)
        mask = get_attn_pad_mask(input_ids, input_ids)
        for layer in self.layers:
            output = layer(output, mask)
        logits_clsf = self.classifier(self.activ1(self.fc(output[:, 0])))
        masked_pos = masked_pos[:, :, None].expand(-1, -1, output.size(-1))
        h_masked = self.norm(gelu(self.linear(torch.gather(output, 1, masked_pos))))
        return self.decoder(h_masked) + self.decoder_bias, logits_clsf


def build():
    return BERT()


def train(model, steps=20):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.AdamW(model.parameters(), lr=0.002, eps=1e-5)  # biases of keys have no gradient
    input_ids, segment_ids, masked_tokens, masked_pos, isNext = make_batch()
    losses = []
    for epoch in range(steps):
        optimizer.zero_grad()
        logits_lm, logits_clsf = model(input_ids, segment_ids, masked_pos)
        loss_lm = criterion(logits_lm.transpose(1, 2), masked_tokens)
        loss_lm = (loss_lm.float()).mean()
        loss = loss_lm + criterion(logits_clsf, isNext)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 80)
    input_ids, segment_ids, masked_tokens, masked_pos, isNext = make_batch()
    logits_lm, logits_clsf = model(input_ids[:1], segment_ids[:1], masked_pos[:1])
    print([number_dict[w] for w in input_ids[0].tolist() if number_dict[w] != "[PAD]"])
    print("predict masked tokens list : ", [pos for pos in logits_lm.data.max(2)[1][0].data.numpy() if pos != 0])
    print("predict isNext : ", bool(logits_clsf.data.max(1)[1].data.numpy()[0]), "loss", round(losses[-1], 3))
    assert losses[-1] < losses[0] / 2

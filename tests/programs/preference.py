"""A small GPT taught by preferences (DPO): a frozen copy as reference, log-probabilities gathered, pairs collated with masks."""

import copy
from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, random_split

WORDS = ["<pad>", "<end>", "ask", "cat", "dog", "sun", "please", "thanks", "no", "why", "kind", "rude"]
ENTRIES = [{"prompt": ["ask", noun], "chosen": [adverb, noun, good], "rejected": [adverb, noun, "rude"]}
           for noun in ("cat", "dog", "sun") for adverb in ("please", "thanks") for good in ("kind", "no")]


class Preferences(Dataset):
    def __init__(self, entries):
        self.encoded = [{key: [WORDS.index(w) for w in words] for key, words in entry.items()} for entry in entries]

    def __getitem__(self, i):
        return self.encoded[i]

    def __len__(self):
        return len(self.encoded)


def collate(batch, pad=0, mask_prompt=True, device="cpu"):
    longest = max(len(item["prompt"]) + len(item[key]) + 1 for key in ("chosen", "rejected") for item in batch)
    data = {}
    for key in ("chosen", "rejected"):
        rows, masks = [], []
        for item in batch:
            ids = item["prompt"] + item[key] + [1]
            mask = torch.ones(longest).bool()
            mask[len(ids):] = False
            if mask_prompt:
                mask[:len(item["prompt"])] = False
            rows.append(torch.tensor(ids + [pad] * (longest - len(ids))))
            masks.append(mask)
        data[key], data[key + "_mask"] = torch.stack(rows).to(device), torch.stack(masks).to(device)
    return data


class Decoder(nn.Module):
    def __init__(self, d=16, longest=8):
        super().__init__()
        self.token, self.place = nn.Embedding(len(WORDS), d), nn.Embedding(longest, d)
        layer = nn.TransformerEncoderLayer(d, 2, 2 * d, dropout=0.0, activation=F.gelu, batch_first=True, norm_first=True,
                                           bias=False)
        self.blocks = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(d), enable_nested_tensor=False)
        self.head = nn.Linear(d, len(WORDS), bias=False)

    def forward(self, ids):
        n = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(n)
        return self.head(self.blocks(self.token(ids) + self.place(torch.arange(n)), mask=mask, is_causal=True))


def logprobs(logits, labels, mask):
    found = F.log_softmax(logits[:, :-1], dim=-1)
    found = torch.gather(found, dim=-1, index=labels[:, 1:].unsqueeze(-1)).squeeze(-1)
    mask = mask[:, 1:].clone()
    return (found * mask).sum(-1) / mask.sum(-1)


def dpo(policy, reference, batch, beta=0.5):
    def ratio(key):
        with torch.no_grad():
            before = logprobs(reference(batch[key]), batch[key], batch[key + "_mask"])
        return logprobs(policy(batch[key]), batch[key], batch[key + "_mask"]) - before

    chosen, rejected = ratio("chosen"), ratio("rejected")
    return -F.logsigmoid(beta * (chosen - rejected)).mean(), chosen.mean().detach(), rejected.mean().detach()


def build():
    return Decoder()


def train(policy, steps=20):
    reference = copy.deepcopy(policy).eval().requires_grad_(False)
    loader = DataLoader(Preferences(ENTRIES), batch_size=4, collate_fn=partial(collate, device="cpu"))
    optimizer = torch.optim.AdamW(policy.parameters(), lr=5e-3, weight_decay=0.01)
    tracking = {"loss": [], "margin": []}
    while len(tracking["loss"]) < steps:
        policy.train()
        for batch in loader:
            optimizer.zero_grad()
            loss, chosen, rejected = dpo(policy, reference, batch)
            loss.backward()
            optimizer.step()
            tracking["loss"].append(loss.item())
            tracking["margin"].append((chosen - rejected).item())
    return (tracking["loss"] + tracking["margin"][-1:])[:steps + 1]


if __name__ == "__main__":
    torch.manual_seed(123)
    policy = build()
    assert all(a.data_ptr() != b.data_ptr() for a, b in zip(policy.parameters(), copy.deepcopy(policy).parameters()))
    *losses, margin = train(policy, 60)
    train_set, test_set = random_split(Preferences(ENTRIES), [0.75, 0.25], generator=torch.Generator().manual_seed(0))
    batch = collate(list(test_set), mask_prompt=False)
    print(len(train_set), len(test_set), {k: tuple(v.shape) for k, v in batch.items()})
    with torch.no_grad():
        chosen, rejected = (logprobs(policy(batch[k]), batch[k], batch[k + "_mask"]) for k in ("chosen", "rejected"))
    print(f"preferred in {(chosen > rejected).sum()} of {len(chosen)}, margin {margin:.3f}")
    print("learned" if losses[-1] < 0.7 * losses[0] else f"not learned: {losses[-1]}")

"""A GPT as a book builds it: windows of a text in a DataLoader, evaluation between epochs, warm-up, a cache of keys."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

GPT_CONFIG = {"vocab_size": 40, "context_length": 24, "emb_dim": 24, "n_heads": 3, "n_layers": 2, "drop_rate": 0.0,
              "qkv_bias": False}
TEXT = ("Every effort moves you closer to where you want to be. Step by step the work is done, and what was hard "
        "becomes easy with time and with care. ") * 3


class SimpleTokenizer:
    def __init__(self, text):
        vocab = sorted(set(text))
        self.str_to_int = {s: i for i, s in enumerate(vocab)}
        self.int_to_str = {i: s for s, i in self.str_to_int.items()}

    def encode(self, text):
        return [self.str_to_int[s] for s in text]

    def decode(self, ids):
        return "".join(self.int_to_str.get(i, "?") for i in ids)


class GPTDataset(Dataset):
    def __init__(self, txt, tokenizer, max_length, stride):
        self.input_ids, self.target_ids = [], []
        token_ids = tokenizer.encode(txt)
        for i in range(0, len(token_ids) - max_length, stride):
            self.input_ids.append(torch.tensor(token_ids[i:i + max_length]))
            self.target_ids.append(torch.tensor(token_ids[i + 1: i + max_length + 1]))

    def __len__(self):
        return len(self.input_ids)

    def __getitem__(self, idx):
        return self.input_ids[idx], self.target_ids[idx]


class MultiHeadAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        assert d_out % num_heads == 0, "d_out must be divisible by num_heads"
        self.d_out, self.num_heads, self.head_dim = d_out, num_heads, d_out // num_heads
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.out_proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", torch.triu(torch.ones(context_length, context_length), diagonal=1), persistent=False)
        self.register_buffer("cache_k", None, persistent=False)
        self.register_buffer("cache_v", None, persistent=False)
        self.ptr = 0

    def forward(self, x, use_cache=False):
        b, num_tokens, d_in = x.shape
        keys = self.W_key(x).view(b, num_tokens, self.num_heads, self.head_dim)
        values = self.W_value(x).view(b, num_tokens, self.num_heads, self.head_dim)
        queries = self.W_query(x).view(b, num_tokens, self.num_heads, self.head_dim)
        first = 0
        if use_cache:
            if self.cache_k is None:
                self.cache_k, self.cache_v = keys, values
            else:
                self.cache_k = torch.cat([self.cache_k, keys], dim=1)
                self.cache_v = torch.cat([self.cache_v, values], dim=1)
            keys, values, first = self.cache_k, self.cache_v, self.ptr
            self.ptr += num_tokens
        keys, queries, values = keys.transpose(1, 2), queries.transpose(1, 2), values.transpose(1, 2)
        attn_scores = queries @ keys.transpose(2, 3)
        mask_bool = self.mask.bool()[first:first + num_tokens, :keys.shape[2]]
        attn_scores.masked_fill_(mask_bool, -torch.inf)
        attn_weights = torch.softmax(attn_scores / keys.shape[-1] ** 0.5, dim=-1)
        context_vec = (self.dropout(attn_weights) @ values).transpose(1, 2)
        context_vec = context_vec.contiguous().view(b, num_tokens, self.d_out)
        return self.out_proj(context_vec)


class LayerNorm(nn.Module):
    def __init__(self, emb_dim):
        super().__init__()
        self.eps = 1e-5
        self.scale, self.shift = nn.Parameter(torch.ones(emb_dim)), nn.Parameter(torch.zeros(emb_dim))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        var = x.var(dim=-1, keepdim=True, unbiased=False)
        return self.scale * ((x - mean) / torch.sqrt(var + self.eps)) + self.shift


class GELU(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(torch.sqrt(torch.tensor(2.0 / torch.pi)) * (x + 0.044715 * torch.pow(x, 3))))


class TransformerBlock(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d = cfg["emb_dim"]
        self.att = MultiHeadAttention(d, d, cfg["context_length"], cfg["drop_rate"], cfg["n_heads"], cfg["qkv_bias"])
        self.ff = nn.Sequential(nn.Linear(d, 4 * d), GELU(), nn.Linear(4 * d, d))
        self.norm1, self.norm2 = LayerNorm(d), LayerNorm(d)
        self.drop_shortcut = nn.Dropout(cfg["drop_rate"])

    def forward(self, x, use_cache=False):
        x = x + self.drop_shortcut(self.att(self.norm1(x), use_cache=use_cache))
        return x + self.drop_shortcut(self.ff(self.norm2(x)))


class GPTModel(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.tok_emb = nn.Embedding(cfg["vocab_size"], cfg["emb_dim"])
        self.pos_emb = nn.Embedding(cfg["context_length"], cfg["emb_dim"])
        self.trf_blocks = nn.ModuleList([TransformerBlock(cfg) for _ in range(cfg["n_layers"])])
        self.current_pos = 0
        self.final_norm = LayerNorm(cfg["emb_dim"])
        self.out_head = nn.Linear(cfg["emb_dim"], cfg["vocab_size"], bias=False)

    def forward(self, in_idx, use_cache=False):
        batch_size, seq_len = in_idx.shape
        first = self.current_pos if use_cache else 0
        self.current_pos += seq_len if use_cache else 0
        x = self.tok_emb(in_idx) + self.pos_emb(torch.arange(first, first + seq_len, device=in_idx.device)).unsqueeze(0)
        for blk in self.trf_blocks:
            x = blk(x, use_cache=use_cache)
        return self.out_head(self.final_norm(x))

    def reset_kv_cache(self):
        for blk in self.trf_blocks:
            blk.att.cache_k = blk.att.cache_v = None
            blk.att.ptr = 0
        self.current_pos = 0


def calc_loss_batch(input_batch, target_batch, model, device):
    input_batch, target_batch = input_batch.to(device), target_batch.to(device)
    logits = model(input_batch)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), target_batch.flatten())


def calc_loss_loader(data_loader, model, device, num_batches=None):
    total_loss = 0.0
    if len(data_loader) == 0:
        return float("nan")
    num_batches = min(num_batches or len(data_loader), len(data_loader))
    for i, (input_batch, target_batch) in enumerate(data_loader):
        if i < num_batches:
            total_loss += calc_loss_batch(input_batch, target_batch, model, device).item()
        else:
            break
    return total_loss / num_batches


def evaluate_model(model, loader, device):
    model.eval()
    with torch.no_grad():
        loss = calc_loss_loader(loader, model, device, num_batches=2)
    model.train()
    return loss


def generate_text_simple(model, idx, max_new_tokens, use_cache):
    model.eval()
    with torch.no_grad():
        model.reset_kv_cache()
        logits = model(idx, use_cache=use_cache)
        for _ in range(max_new_tokens):
            next_idx = logits[:, -1].argmax(dim=-1, keepdim=True)
            idx = torch.cat([idx, next_idx], dim=1)
            logits = model(next_idx, use_cache=True) if use_cache else model(idx)
    return idx


def build():
    return GPTModel(GPT_CONFIG)


def train(model, steps=20):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    loader = DataLoader(GPTDataset(TEXT, SimpleTokenizer(TEXT), 16, 8), batch_size=4, shuffle=False, drop_last=True,
                        num_workers=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.1)
    losses, track_lrs, global_step = [], [], -1
    while len(losses) < steps:
        for input_batch, target_batch in loader:
            optimizer.zero_grad()
            global_step += 1
            lr = 0.005 * min(1, (global_step + 1) / 5)
            for param_group in optimizer.param_groups:
                param_group["lr"] = lr
            track_lrs.append(optimizer.param_groups[0]["lr"])
            loss = calc_loss_batch(input_batch, target_batch, model, device)
            loss.backward()
            if global_step > 5:
                torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            losses.append(loss.item())
        if len(losses) % 100 < len(loader):
            print(f"step {global_step:03d}: loss {evaluate_model(model, loader, device):.3f}, rate {lr:.3f}")
    return losses[:steps]


if __name__ == "__main__":
    torch.manual_seed(123)
    model, tokenizer = build(), SimpleTokenizer(TEXT)
    losses = train(model, 200)
    encoded = torch.tensor(tokenizer.encode("Every")).unsqueeze(0)
    without, cached = (generate_text_simple(model, encoded, 18, use_cache) for use_cache in (False, True))
    print(repr(tokenizer.decode(cached.squeeze(0).tolist())))
    assert torch.equal(without, cached) and losses[-1] < losses[0] / 2

"""Sentences classified by convolutions of several widths over their embeddings, each pooled over the whole length."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils import data as Data

sentences = ["i love this film", "what a lovely day", "you are very kind", "she likes good food", "great work my friend",
             "i hate this film", "what an awful day", "you are very rude", "he dislikes bad food", "poor work my friend"]
labels = [1] * 5 + [0] * 5
PAD, SEQ, FILTERS = 0, 5, 3
vocab = {"<pad>": PAD}
for sentence in sentences:
    for w in sentence.split():
        vocab.setdefault(w, len(vocab))


def encode(sentence):
    ids = [vocab.get(w, PAD) for w in sentence.split()][:SEQ]
    return ids + [PAD] * (SEQ - len(ids))


class TextCNN(nn.Module):
    def __init__(self, vocab_size, embedding_size=8, filter_sizes=(2, 3, 4), num_classes=2, dropout=0.0):
        super().__init__()
        self.W = nn.Embedding(vocab_size, embedding_size, padding_idx=PAD)
        self.convs = nn.ModuleList([nn.Conv2d(1, FILTERS, (k, embedding_size)) for k in filter_sizes])
        self.conv1d = nn.Conv1d(embedding_size, FILTERS, kernel_size=3, padding="same", bias=False)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(FILTERS * (len(filter_sizes) + 1), num_classes)

    @staticmethod
    def conv_and_pool(x, conv):
        x = F.relu(conv(x)).squeeze(3)  # (B, F, L - k + 1)
        return F.max_pool1d(x, x.size(2)).squeeze(2)

    def forward(self, X):
        embedded_chars = self.W(X)
        pooled_outputs = [self.conv_and_pool(embedded_chars.unsqueeze(1), conv) for conv in self.convs]
        whole = self.conv1d(embedded_chars.permute(0, 2, 1))
        pooled_outputs.append(F.adaptive_max_pool1d(F.leaky_relu(whole), 1).flatten(1))
        h_pool_flat = torch.cat(pooled_outputs, dim=1)
        return self.fc(self.dropout(h_pool_flat))


def build():
    return TextCNN(len(vocab))


def train(model, steps=20):
    inputs, targets = torch.LongTensor([encode(s) for s in sentences]), torch.LongTensor(labels)
    loader = Data.DataLoader(Data.TensorDataset(inputs, targets), 5, False)
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.9]))
    optimizer = optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
    losses = []
    while len(losses) < steps:
        for batch_x, batch_y in loader:
            pred = model(batch_x)
            loss = criterion(pred, batch_y)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_(model.parameters(), clip_value=0.5)
            optimizer.step()
            losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    np.random.seed(0)
    model = build()
    print(f"The model has {sum(p.numel() for p in model.parameters() if p.requires_grad):,} trainable parameters")
    train(model, 200)
    model = model.eval()
    assert torch.all(model.W.weight[PAD] == 0)
    with torch.no_grad():
        test_batch = torch.LongTensor(np.array([encode("she likes this film"), encode("an awful rude friend")]))
        predict = model(test_batch).data.max(1, keepdim=True)[1]
        probability = F.softmax(model(test_batch), dim=-1)
    for row, p in zip(predict, probability.max(dim=-1).values):
        print("bad" if row[0] == 0 else "good", f"{p:.3f}")
    print("learned" if predict.view(-1).tolist() == [1, 0] else "not learned")

"""A two-way LSTM with attention over its steps: the last hidden states ask, weights are returned as numpy arrays."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sentences = ["i love this film", "she likes good music", "what a great day", "i hate this film", "such a bad song",
             "what an awful day"]
labels = [1, 1, 1, 0, 0, 0]
word_list = sorted(set(" ".join(sentences).split()))
word_dict = {w: i for i, w in enumerate(word_list)}
embedding_dim, n_hidden, num_classes = 5, 7, 2


class BiLSTM_Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(word_dict), embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, n_hidden, bidirectional=True)
        self.out = nn.Linear(n_hidden * 2, num_classes)

    def attention_net(self, lstm_output, final_state):
        hidden = final_state.view(-1, n_hidden * 2, 1)  # (batch, 2 * n_hidden, 1)
        attn_weights = torch.bmm(lstm_output, hidden).squeeze(2)
        soft_attn_weights = F.softmax(attn_weights, 1)
        context = torch.bmm(lstm_output.transpose(1, 2), soft_attn_weights.unsqueeze(2)).squeeze(2)
        return context, soft_attn_weights.data.numpy()

    def forward(self, X):
        input = self.embedding(X).permute(1, 0, 2)
        hidden_state = torch.zeros(1 * 2, len(X), n_hidden)
        cell_state = torch.zeros(1 * 2, len(X), n_hidden)
        output, (final_hidden_state, final_cell_state) = self.lstm(input, (hidden_state, cell_state))
        output = output.permute(1, 0, 2)
        attn_output, attention = self.attention_net(output, final_hidden_state.transpose(0, 1).contiguous())
        return self.out(attn_output), attention


def batch():
    return (torch.tensor([[word_dict[n] for n in sen.split()] for sen in sentences]),
            torch.tensor(labels, dtype=torch.int64))


def build():
    return BiLSTM_Attention()


def train(model, steps=20):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device)
    criterion, optimizer = nn.CrossEntropyLoss().to(device), torch.optim.Adamax(model.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)
    inputs, targets = (t.to(device) for t in batch())
    losses = []
    for epoch in range(steps):
        optimizer.zero_grad()
        output, attention = model(inputs)
        loss = criterion(output, targets)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(4)
    model = build()
    train(model, 150)
    output, attention = model(batch()[0])
    print("weights of", sentences[0].split(), np.round(attention[0], 2))
    print("predicted", output.max(1).indices.tolist())
    assert np.allclose(attention.sum(1), 1, atol=1e-5) and output.argmax(1).tolist() == labels

"""A multilayer perceptron on a table, as PyTorch users write one: which cylinders leak?

    python mlp.py [weights file]

The table is made here: radius [mm], height [mm], wall [mm], pressure [bar] and two columns without meaning;
a cylinder leaks where the stress in its wall is above a limit. A test runs this file under both libraries
with only the imports changed.
"""

import copy
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset, random_split

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)


class Cylinders(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        ranges = [(10, 90), (50, 500), (1, 4), (1, 20), (0, 1), (-5, 5)]
        columns = [rng.uniform(low, high, n) for low, high in ranges]
        radius, _, wall, pressure = columns[:4]
        stress = pressure * radius / wall
        self.X = torch.tensor(np.stack(columns, axis=1), dtype=torch.float32)
        self.y = torch.from_numpy((stress > 170).astype(np.float32))

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


class MLP(nn.Module):
    def __init__(self, inputs, hidden, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(p=0.1),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )
        self.apply(self._init)

    def _init(self, module):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.layers((x - self.mean) / self.std).squeeze(1)


@torch.no_grad()
def evaluate(model, loader, criterion):
    model.eval()
    total_loss, correct, total = 0.0, 0, 0
    for X, y in loader:
        X, y = X.to(device), y.to(device)
        logits = model(X)
        total_loss += criterion(logits, y).item() * X.size(0)
        correct += ((torch.sigmoid(logits) > 0.5).float() == y).sum().item()
        total += y.size(0)
    return total_loss / total, correct / total


generator = torch.Generator().manual_seed(3)
train_set, val_set = random_split(Cylinders(1500, seed=1), [1200, 300], generator=generator)
train_loader = DataLoader(train_set, batch_size=32, shuffle=True, drop_last=True)
val_loader = DataLoader(val_set, batch_size=100)
test_loader = DataLoader(Cylinders(500, seed=2), batch_size=100)

rows = torch.stack([x for x, _ in train_set])
model = MLP(rows.shape[1], 32, rows.mean(dim=0), rows.std(dim=0)).to(device)
print(model)
print("parameters:", sum(p.numel() for p in model.parameters() if p.requires_grad))

criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5)
best_loss, best_state = float("inf"), None
for epoch in range(12):
    for group in optimizer.param_groups:
        group["lr"] = 1e-2 * 0.8**epoch
    model.train()
    running_loss = 0.0
    for X, y in train_loader:
        X, y = X.to(device), y.to(device)
        optimizer.zero_grad()
        loss = criterion(model(X), y)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    val_loss, val_acc = evaluate(model, val_loader, criterion)
    print(f"epoch {epoch + 1}: train {running_loss / len(train_loader):.4f} val {val_loss:.4f} {val_acc:.3f}")
    if val_loss < best_loss:
        best_loss, best_state = val_loss, copy.deepcopy(model.state_dict())

if len(sys.argv) > 1:
    torch.save(best_state, sys.argv[1])
    best_state = torch.load(sys.argv[1])
fresh = MLP(rows.shape[1], 32, torch.zeros(6), torch.ones(6)).to(device)
fresh.load_state_dict(best_state)
_, accuracy = evaluate(fresh, test_loader, criterion)
print(f"test accuracy: {accuracy:.4f}")

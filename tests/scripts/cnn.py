"""A small convolutional network on images, as PyTorch users write one: which shape is in the picture?

    python cnn.py [weights file]

The images are made here: one of five shapes somewhere in 16 by 16 noisy pixels. A test runs this file under
both libraries with only the imports changed.
"""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader, Dataset

CLASSES = ("bar", "column", "diagonal", "cross", "square")


class Shapes(Dataset):
    """Pixels are bytes, as in image files; the transform makes tensors of them."""

    def __init__(self, n, seed, transform=None):
        rng = np.random.default_rng(seed)
        self.images = rng.integers(0, 90, (n, 16, 16)).astype(np.uint8)
        self.labels = rng.integers(0, len(CLASSES), n)
        self.transform = transform
        for image, label in zip(self.images, self.labels, strict=True):
            lit = np.zeros((7, 7), dtype=bool)
            if CLASSES[label] in ("bar", "cross"):
                lit[3] = True
            if CLASSES[label] in ("column", "cross"):
                lit[:, 3] = True
            if CLASSES[label] == "diagonal":
                np.fill_diagonal(lit, True)
            if CLASSES[label] == "square":
                lit[[0, -1]] = lit[:, [0, -1]] = True
            i, j = rng.integers(0, 10, 2)
            image[i : i + 7, j : j + 7][lit] += 110

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        image, label = self.images[idx], int(self.labels[idx])
        return (self.transform(image) if self.transform else image), label


def to_tensor(image):
    return (torch.from_numpy(image).unsqueeze(0).float() / 255.0 - 0.3) / 0.25


class Net(nn.Module):
    def __init__(self, num_classes=5):
        super(Net, self).__init__()  # noqa: UP008 - many scripts have it
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(16 * 4 * 4, 32)
        self.fc2 = nn.Linear(32, num_classes)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = F.max_pool2d(self.bn2(self.conv2(x)).relu(), 2)
        x = x.view(x.size(0), -1)
        x = F.dropout(F.relu(self.fc1(x)), p=0.25, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


def train(model, device, loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        if batch_idx % 10 == 0:
            done = f"{batch_idx * len(data)}/{len(loader.dataset)}"
            print(f"Train Epoch: {epoch} [{done}]\tLoss: {loss.item():.6f}")


def test(model, device, loader):
    model.eval()
    test_loss, correct, hits = 0, 0, 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
            _, predicted = torch.max(output.data, 1)
            hits += (predicted == target).float().sum().item()
    assert hits == correct
    print(f"Average loss: {test_loss / len(loader.dataset):.4f}")
    return correct / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="?", help="where the weights go")
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()

    torch.manual_seed(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_loader = DataLoader(Shapes(1600, 1, to_tensor), batch_size=32, shuffle=True, num_workers=0)
    test_loader = torch.utils.data.DataLoader(Shapes(400, 2, to_tensor), batch_size=200, shuffle=False)

    model = Net().to(device)
    with torch.no_grad():
        assert model(torch.randn(2, 1, 16, 16, device=device)).shape == (2, len(CLASSES))
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(1, args.epochs + 1):
        train(model, device, train_loader, optimizer, epoch)
        print(f"Accuracy: {100.0 * test(model, device, test_loader):.1f}%")
    if args.weights:
        torch.save(model.state_dict(), args.weights)
        model = Net().to(device)
        model.load_state_dict(torch.load(args.weights, map_location=device))
    print(f"test accuracy: {test(model, device, test_loader):.4f}")


if __name__ == "__main__":
    main()

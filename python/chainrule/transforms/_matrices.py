"""Matrices [N, 2, 3] from output to source points, in pixels from the upper left corner, right and down."""

from __future__ import annotations

import numpy as np


def about(linear: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The linear maps [N, 2, 2] with point `target` of the output on point `source` of the image, (x, y) each.

    The points are [2], or `target` [N, 2].
    """
    out = np.empty((len(linear), 2, 3))
    out[:, :, :2] = linear
    out[:, :, 2] = source - (linear @ target[..., None])[..., 0]
    return out


def rotations(degrees: np.ndarray) -> np.ndarray:
    """From the output back to the image where that is turned counter-clockwise, [N, 2, 2].

    Rounded to 15 digits, so that quarter turns are exact.
    """
    angle = degrees * (np.pi / 180)
    cos, sin = np.cos(angle), np.sin(angle)
    out = np.empty((len(angle), 2, 2))
    out[:, 0, 0] = out[:, 1, 1] = cos
    out[:, 0, 1], out[:, 1, 0] = -sin, sin
    return out.round(15)


def sheared(degrees: np.ndarray, scale: np.ndarray, shear: np.ndarray) -> np.ndarray:
    """From the output back to the image where that is scaled, sheared and turned clockwise, [N, 2, 2].

    `shear` [N, 2] in degrees: the x axis and the y axis. Forward it is rotation · shear along y · shear along x ·
    scale, torchvision's order.
    """
    angle, (x, y) = np.radians(degrees), np.radians(shear).T
    one, zero = np.ones_like(angle), np.zeros_like(angle)

    def matrix(a, b, c, d):
        return np.stack([np.stack([a, b], 1), np.stack([c, d], 1)], 1)

    turned = matrix(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))
    along_y = matrix(one, zero, -np.tan(y), one)
    along_x = matrix(one, -np.tan(x), zero, one)
    return np.linalg.inv(turned @ along_y @ along_x * scale[:, None, None]).round(15)


def turned_size(linear: np.ndarray, height: int, width: int) -> tuple[int, int]:
    """Height and width that hold the whole image after the map that `linear` [2, 2] goes back, by Pillow's rule.

    They reach to whole pixels around the corners, turned about the middle; quarter turns need no more than they are.
    """
    middle = np.array([width, height]) / 2
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) - middle
    corners = corners @ np.linalg.inv(linear).T + middle
    low, high = corners.min(0).round(9), corners.max(0).round(9)
    across, down = high - low
    if across % 1 or down % 1:
        across, down = np.ceil(high) - np.floor(low)
    return int(down), int(across)

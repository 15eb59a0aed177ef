"""Weights and images drawn from a seed, for networks that nobody has trained. Needs NumPy only; knows no framework.

Everything is drawn from the name of what it is for, so that no order of calls changes it. Signals keep their size
however deep a network is: kernels are He-normal, and batch normalisations begin from what they see on a calibration
batch. Then every parameter of them is moved well away from the identity, so that folding one wrongly shows.
"""

import zlib

import numpy as np

CALIBRATION_IMAGES = 8
GOLDEN_IMAGES = 2

# Below it a variance says that a channel is all but constant; dividing by its root would blow up what is no signal.
LEAST_VARIANCE = 1e-4


def generator(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def kernel(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)


def bias(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0, 0.1, shape).astype(np.float32)


def gamma(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Scales of a batch normalisation, one in eight of them negative."""
    return (rng.uniform(0.5, 1.5, shape) * rng.choice([1] * 7 + [-1], shape)).astype(np.float32)


def beta(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0, 0.3, shape).astype(np.float32)


def statistics(rng: np.random.Generator, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moving statistics near those that were seen; rounded first, as frameworks add up in no fixed order."""
    seen = np.maximum(np.round(variance, 5), LEAST_VARIANCE)
    moved = np.round(mean, 3) + rng.normal(0, 0.2, mean.shape) * np.sqrt(seen)
    return moved.astype(np.float32), (seen * rng.uniform(0.7, 1.4, mean.shape)).astype(np.float32)


def images(name: str, what: str, count: int, size: int, low: float, high: float) -> np.ndarray:
    """Coloured patches and noise, (batch, channels, height, width): of noise alone all images look the same after
    global pooling."""
    rng = generator(name, what)
    patches = rng.uniform(0, 1, (count, 3, 7, 7))
    tile = -(-size // 7)
    grown = np.kron(patches, np.ones((1, 1, tile, tile)))[:, :, :size, :size]
    mixed = 0.7 * grown + 0.3 * rng.uniform(0, 1, grown.shape)
    return (low + (high - low) * mixed).astype(np.float32)

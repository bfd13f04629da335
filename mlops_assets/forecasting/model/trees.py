"""Fitted trees as arrays: compact, quick to search, and holding the targets of their leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from .encoding import BINS
from .quantiles import leaf_samples

BELOW_ALL = -1.0
"""Code of a missing value."""
FEW = 2**19
"""Rows times trees up to which leaves are found without scikit-learn: importing it would take longer."""


@dataclass(frozen=True)
class Trees:
    """Fitted trees as compact arrays, one behind the other.

    Attributes:
        start: first node of each tree, and the number of all nodes, shape (trees + 1,).
        left, right: children, counted within the tree, -1 at a leaf, shape (nodes,), int32.
        feature: column of the split, shape (nodes,), int16.
        threshold: codes up to this one go left, shape (nodes,), int16.
        missing_left: whether missing values go left, shape (nodes,), bool.
        mean: mean scaled target of each leaf, shape (leaves,), float32.
        samples: scaled targets of each leaf, shape (leaves, samples), float16.
    """

    start: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    mean: np.ndarray
    samples: np.ndarray

    @classmethod
    def of(cls, estimators: Sequence[Any], codes: np.ndarray, y: np.ndarray) -> Trees:
        """Take the trees out of a forest fitted on `known_codes`, and the targets that fall into their leaves."""
        trees = [estimator.tree_ for estimator in estimators]
        by_size = np.argsort(y)
        gaps = (codes == BELOW_ALL).any(axis=0)
        codes, y = codes[by_size], y[by_size]
        start = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])
        left = np.concatenate([tree.children_left for tree in trees]).astype(np.int32)
        feature = np.concatenate([tree.feature for tree in trees]).astype(np.int16)
        majority_left = np.concatenate([tree.__getstate__()["nodes"]["missing_go_to_left"] for tree in trees])
        is_leaf = left < 0
        samples = []
        for tree in trees:
            number = np.cumsum(tree.children_left < 0) - 1
            samples.append(leaf_samples(number[tree.apply(codes)], y, int(number[-1]) + 1))
        mean = np.concatenate([tree.value[:, 0, 0] for tree in trees])[is_leaf].astype(np.float32)
        kept = np.concatenate(samples)
        return cls(
            start=start,
            left=left,
            right=np.concatenate([tree.children_right for tree in trees]).astype(np.int32),
            feature=feature,
            threshold=_codes_left(np.concatenate([tree.threshold for tree in trees])),
            missing_left=np.where(gaps[feature], True, majority_left.astype(bool)),
            mean=mean,
            samples=np.where(np.isnan(kept), mean[:, None], kept).astype(np.float16),
        )

    @property
    def count(self) -> int:
        """Number of trees."""
        return len(self.start) - 1

    def part(self, first: int, stop: int) -> Trees:
        """Return some of the trees, neighbours."""
        node = slice(int(self.start[first]), int(self.start[stop]))
        leaf = slice(*(int((self.left[:end] < 0).sum()) for end in (node.start, node.stop)))
        parts = {name: getattr(self, name)[leaf if name in ("mean", "samples") else node] for name in _arrays()}
        return Trees(start=self.start[first : stop + 1] - node.start, **parts)

    def locate(self, X: np.ndarray) -> np.ndarray:
        """Number of the leaf that each row falls into, per tree: shape (rows, trees)."""
        if len(X) * self.count <= FEW:
            return self._walk(X)
        found = np.empty((len(X), self.count), dtype=np.int64)
        for place, (tree, leaf) in enumerate(self._ready):
            found[:, place] = leaf[tree.apply(X)]
        return found

    def outcomes(self, located: np.ndarray) -> np.ndarray:
        """Equally likely scaled targets, shape (rows, outcomes), for what `locate` has found."""
        return self.samples[located].reshape(len(located), -1).astype(np.float32)

    def _walk(self, X: np.ndarray) -> np.ndarray:
        """Find what `locate` does, a level of all trees at a time."""
        row, tree = (part.ravel() for part in np.indices((len(X), self.count)))
        first = self.start[tree]
        node = first.copy()
        inside = np.flatnonzero(self.left[node] >= 0)
        while len(inside):
            at = node[inside]
            value = X[row[inside], self.feature[at]]
            goes_left = np.where(np.isnan(value), self.missing_left[at], value <= self.threshold[at] + 0.5)
            at = first[inside] + np.where(goes_left, self.left[at], self.right[at])
            node[inside] = at
            inside = inside[self.left[at] >= 0]
        return (np.cumsum(self.left < 0) - 1)[node].reshape(len(X), self.count)

    @cached_property
    def _ready(self) -> list[tuple[Any, np.ndarray]]:
        """scikit-learn's tree, which finds leaves quickly, and the number of the leaf of each of its nodes."""
        from sklearn.tree._tree import NODE_DTYPE, Tree

        found, number = [], np.cumsum(self.left < 0) - 1
        columns = max(int(self.feature.max()) + 1, 1)
        for first, stop in pairwise(self.start):
            nodes: Any = np.zeros(stop - first, dtype=NODE_DTYPE)
            nodes["left_child"], nodes["right_child"] = self.left[first:stop], self.right[first:stop]
            nodes["feature"] = self.feature[first:stop]
            nodes["threshold"] = self.threshold[first:stop] + 0.5
            nodes["missing_go_to_left"] = self.missing_left[first:stop]
            tree = Tree(columns, np.array([1], dtype=np.intp), 1)
            values = np.zeros((len(nodes), 1, 1))
            tree.__setstate__({"max_depth": 1, "node_count": len(nodes), "nodes": nodes, "values": values})
            found.append((tree, number[first:stop]))
        return found


def join(forests: Sequence[Trees]) -> Trees:
    """Return the trees of all of them, in that order."""
    before = np.cumsum([0, *(forest.start[-1] for forest in forests)])
    starts = [forest.start[1:] + nodes for forest, nodes in zip(forests, before[:-1], strict=True)]
    arrays = {name: np.concatenate([getattr(forest, name) for forest in forests]) for name in _arrays()}
    return Trees(start=np.concatenate([[0], *starts]), **arrays)


def _arrays() -> Iterator[str]:
    return (part.name for part in fields(Trees) if part.name != "start")


def known_codes(X: np.ndarray) -> np.ndarray:
    """Give missing values a code below all others, which splits off as well as NaN does, for less."""
    return np.nan_to_num(X, nan=BELOW_ALL)


def _codes_left(threshold: np.ndarray) -> np.ndarray:
    """Highest code that goes left: all of them where scikit-learn splits off the missing values only."""
    return np.floor(np.nan_to_num(threshold, nan=-1.0, posinf=BINS)).astype(np.int16)

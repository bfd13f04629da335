"""A fitted model as one file: written without pickle, the same bytes for the same model, checked before use.

The file is a zip archive in the format of `skops`. It is loaded only if its checksum is the recorded one, if
every type in it is on our own list, and if its trees point nowhere outside themselves: scikit-learn follows
child and feature numbers without looking, so a tampered tree would read foreign memory. This module needs
nothing else of the package, so that it can travel with a model to where the package is not installed.
"""

import hashlib
import importlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import ModelFileError

LARGEST = 16 * 2**30
"""Upper bound of a file's unpacked bytes, against archives that unpack without end."""

_PLAIN_TYPES = {
    "DictNode": {"builtins.dict", "collections.OrderedDict"},
    "ListNode": {"builtins.list"},
    "TupleNode": {"builtins.tuple"},
    "SetNode": {"builtins.set"},
    "JsonNode": {"builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.NoneType"},
    "BytesNode": {"builtins.bytes"},
    "DTypeNode": {"numpy.dtype"},
    "RandomStateNode": {"numpy.random.mtrand.RandomState", "numpy.random.RandomState"},
    "RandomGeneratorNode": {"numpy.random._generator.Generator"},
    "TreeNode": {"sklearn.tree._tree.Tree"},
}
_KEYS = {"builtins.str": str, "builtins.int": int, "builtins.float": float}
_PLAIN = {
    ("DictNode", "builtins.dict"),
    ("ListNode", "builtins.list"),
    ("TupleNode", "builtins.tuple"),
    ("NdArrayNode", "numpy.ndarray"),
    *(("JsonNode", kind) for kind in _PLAIN_TYPES["JsonNode"]),
    *(("TypeNode", kind) for kind in _KEYS),
}
"""What is rebuilt without skops."""
_VALUE_TYPES = {f"builtins.{name}" for name in ("str", "int", "float", "bool", "bytes")} | {
    f"numpy.{name}"
    for name in (
        "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
        "float32", "float64", "str_", "bytes_", "datetime64", "timedelta64",
    )
}  # fmt: skip
_ESTIMATOR_MODULES = (
    "sklearn.compose.", "sklearn.dummy", "sklearn.ensemble.", "sklearn.impute.", "sklearn.linear_model.",
    "sklearn.neighbors.", "sklearn.neural_network.", "sklearn.pipeline", "sklearn.preprocessing.",
    "sklearn.svm.", "sklearn.tree.",
)  # fmt: skip
_HELPERS = {
    "sklearn._loss.link.IdentityLink", "sklearn._loss.link.LogLink", "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfSquaredError", "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.PinballLoss",
    "sklearn._loss.loss.HuberLoss", "sklearn._loss.loss.HalfPoissonLoss", "sklearn._loss.loss.HalfGammaLoss",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
}  # fmt: skip
_NOT_TRUSTED_BY_SKOPS = {
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
}


def dumps(state: Any) -> bytes:
    """Turn plain containers, NumPy arrays and scikit-learn estimators into the bytes of a model file.

    Equal models give equal bytes, whatever the process or the day.

    Raises:
        ModelFileError: a value that the format or our list of types does not allow.
    """
    import skops.io

    try:
        raw = skops.io.dumps(state)
    except Exception as error:
        raise ModelFileError(
            f"a model may hold plain containers, NumPy arrays and scikit-learn estimators only: {error}"
        ) from error
    data = _canonical(raw)
    _audit(data, "the model")
    return data


def loads(data: bytes, sha256: str | None = None, name: str = "the model") -> Any:
    """Rebuild what `dumps` was given.

    Args:
        data: the file's bytes.
        sha256: the recorded checksum, in hexadecimal; None where none was recorded.
        name: what to call it in messages.

    Raises:
        ModelFileError: another checksum, a type not on the list, or a tree that points outside itself.
    """
    found = checksum(data)
    if sha256 is not None and found != sha256:
        raise ModelFileError(
            f"{name} is not the file that was saved: its sha256 is {found}, recorded was {sha256}. "
            "Restore the file, or train again."
        )
    schema = _audit(data, name)
    try:
        if _is_plain(schema):
            return _plain(schema, data)
        import skops.io

        untrusted = skops.io.get_untrusted_types(data=data)
        refused = sorted(set(untrusted) - _NOT_TRUSTED_BY_SKOPS)
        if refused:
            raise ModelFileError(f"{name} holds {', '.join(refused)}, which is not on the list of types to be loaded.")
        state = skops.io.loads(data, trusted=untrusted)
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(f"{name} cannot be rebuilt: {type(error).__name__}: {error}") from error
    check_trees(state, name)
    return state


def save(state: Any, path: str | Path) -> str:
    """Write a model file, whole or not at all, and return its sha256."""
    data = dumps(state)
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return checksum(data)


def load(path_or_bytes: str | Path | bytes, sha256: str | None = None) -> Any:
    """Load a model file from a path, or from its bytes, with all the checks of `loads`."""
    if isinstance(path_or_bytes, bytes):
        return loads(path_or_bytes, sha256)
    return loads(Path(path_or_bytes).read_bytes(), sha256, str(path_or_bytes))


def checksum(data: bytes) -> str:
    """Return the sha256 of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def check_trees(state: Any, name: str = "the model") -> None:
    """Make sure that every tree in a model stays within its own nodes and features.

    Raises:
        ModelFileError: which tree, which node, and what is wrong with it.
    """
    for owner, features in _estimators(state):
        trees = [owner.tree_] if hasattr(owner, "tree_") else []
        for position, tree in enumerate(trees):
            _check_tree(tree, features, f"{name}: tree {position} of {type(owner).__name__}")
        for round_ in getattr(owner, "_predictors", None) or []:
            for predictor in round_:
                _check_predictor(predictor, features, f"{name}: a tree of {type(owner).__name__}")


def _estimators(
    value: Any, features: int | None = None, seen: set[int] | None = None
) -> Iterator[tuple[Any, int | None]]:
    """Yield every object inside, with the number of features of the outermost estimator that says it."""
    import numpy as np

    seen = set() if seen is None else seen
    if isinstance(value, str | bytes | int | float | bool | type(None)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        inner: Any = value.values()
    elif isinstance(value, list | tuple | set) or (isinstance(value, np.ndarray) and value.dtype == object):
        inner = value.ravel() if isinstance(value, np.ndarray) else value
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        own = getattr(value, "n_features_in_", None)
        is_pipeline = hasattr(value, "steps") or hasattr(value, "transformers_")
        features = features if features is not None or is_pipeline else own
        yield value, own if features is None else features
        inner = vars(value).values()
        features = None if is_pipeline else features
    else:
        return
    for item in inner:
        yield from _estimators(item, features, seen)


def _check_tree(tree: Any, features: int | None, where: str) -> None:
    import numpy as np

    state = tree.__getstate__()
    nodes, values = state["nodes"], state["values"]
    count = len(nodes)
    if not count or state["node_count"] != count or len(values) != count:
        raise ModelFileError(f"{where} says {state['node_count']} nodes and has {count}, with {len(values)} values.")
    if features is not None and tree.n_features != features:
        raise ModelFileError(f"{where} splits on {tree.n_features} features, the model has {features}.")
    if values.shape[1:] != (tree.n_outputs, tree.max_n_classes) or not np.isfinite(values).all():
        raise ModelFileError(f"{where} has values of shape {values.shape} or values that are not finite.")
    left, right = nodes["left_child"], nodes["right_child"]
    own = np.arange(count)
    leaf = (left == -1) & (right == -1)
    # A child always has a higher number than its parent, which also rules out circles.
    inside = (left > own) & (right > own) & (left < count) & (right < count)
    _refuse(~(leaf | inside), where, "a child outside the tree")
    _refuse(
        ~leaf & ((nodes["feature"] < 0) | (nodes["feature"] >= tree.n_features)),
        where,
        "a feature out of bounds",
    )
    _refuse(~leaf & ~np.isfinite(nodes["threshold"]), where, "a threshold that is not finite")


def _check_predictor(predictor: Any, features: int | None, where: str) -> None:
    import numpy as np

    nodes, own = predictor.nodes, np.arange(len(predictor.nodes))
    split = nodes["is_leaf"] == 0
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    inside = (left > own) & (right > own) & (left < len(nodes)) & (right < len(nodes))
    if not len(nodes):
        raise ModelFileError(f"{where} has no nodes.")
    _refuse(split & ~inside, where, "a child outside the tree")
    if features is not None:
        _refuse(
            split & ((nodes["feature_idx"] < 0) | (nodes["feature_idx"] >= features)),
            where,
            "a feature out of bounds",
        )
    categories = len(predictor.raw_left_cat_bitsets)
    binned = len(predictor.binned_left_cat_bitsets)
    outside = (nodes["is_categorical"] != 0) & (nodes["bitset_idx"] >= min(categories, binned))
    _refuse(split & outside, where, "a category set out of bounds")
    _refuse(~np.isfinite(nodes["value"]), where, "a value that is not finite")


def _refuse(bad: Any, where: str, what: str) -> None:
    if bad.any():
        raise ModelFileError(f"{where}, node {int(bad.argmax())}: {what}. The file was changed after it was saved.")


def _audit(data: bytes, name: str) -> Any:
    """Hold every type in the file against our list, before anything is built from it; return its schema."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST:
                raise ModelFileError(f"{name} unpacks to {size} bytes, more than the {LARGEST} allowed.")
            schema = json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{name} is not a model file: {error}") from error
    refused = sorted({f"{kind} ({loader})" for loader, kind in _nodes(schema) if not _allowed(loader, kind)})
    if refused:
        raise ModelFileError(f"{name} holds {', '.join(refused)}, which is not on the list of types to be loaded.")
    return schema


def _is_plain(schema: Any) -> bool:
    """Whether a file holds containers, texts, numbers and arrays only, as that of a forest does."""
    kinds = set(_nodes(schema))
    return kinds <= _PLAIN and all(node.get("type", "numpy") == "numpy" for node in _dicts(schema))


def _plain(node: Any, data: bytes) -> Any:
    """Rebuild what `_is_plain`, as skops does: importing that takes longer than a forecast."""
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(data)) as archive:

        def build(node: Any) -> Any:
            loader, content = node["__loader__"], node.get("content")
            if loader == "JsonNode":
                return json.loads(content)
            if loader == "NdArrayNode":
                return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
            if loader == "DictNode":
                kinds = [_KEYS[f"builtins.{one['__class__']}"] for one in node["key_types"]["content"]]
                pairs = zip(kinds, content.items(), strict=True)
                return {kind(key): build(value) for kind, (key, value) in pairs}
            return (tuple if loader == "TupleNode" else list)(map(build, content))

        return build(node)


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _nodes(schema: Any) -> Iterator[tuple[str, str]]:
    for node in _dicts(schema):
        if "__loader__" in node or "__class__" in node:
            yield str(node.get("__loader__")), f"{node.get('__module__')}.{node.get('__class__')}"


def _allowed(loader: str, kind: str) -> bool:
    if loader in _PLAIN_TYPES:
        return kind in _PLAIN_TYPES[loader]
    if loader == "TypeNode":
        return kind in _VALUE_TYPES
    if loader == "NdArrayNode":
        return kind == "numpy.ndarray" or (kind in _VALUE_TYPES and kind.startswith("numpy."))
    if loader == "LossNode":
        return kind.startswith(("sklearn._loss._loss.Cy", "_loss.Cy"))  # as scikit-learn 1.7 calls it, of Python 3.10
    return loader == "ObjectNode" and (kind in _HELPERS or _is_estimator(kind))


def _is_estimator(kind: str) -> bool:

    from sklearn.base import BaseEstimator

    if not kind.startswith(_ESTIMATOR_MODULES):
        return False
    module, _, name = kind.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, BaseEstimator)


def _canonical(raw: bytes) -> bytes:
    """Write the archive again without what differs between saves: memory addresses, times, padding."""
    numbers: dict[Any, int] = {}

    def rename(node: Any) -> Any:
        if isinstance(node, list):
            return [rename(item) for item in node]
        if not isinstance(node, dict):
            return node
        renamed = {}
        for key, value in node.items():
            if key == "__id__":
                # Equal text or numbers may or may not be one object in memory: that is not part of the model.
                own = object() if node.get("__loader__") == "JsonNode" else value
                renamed[key] = numbers.setdefault(own, len(numbers))
            elif key == "file" and isinstance(value, str):
                renamed[key] = files.setdefault(
                    value, f"{len(files)}.npy" if value.endswith(".npy") else f"{len(files)}.bin"
                )
            else:
                renamed[key] = rename(value)
        return renamed

    files: dict[str, str] = {}
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as out:
        schema = rename(json.loads(archive.read("schema.json")))
        members = [(name, _without_padding(archive.read(old))) for old, name in files.items()]
        members.append(("schema.json", json.dumps(schema, separators=(",", ":")).encode()))
        for name, content in members:
            out.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 5)
    return sink.getvalue()


def _without_padding(content: bytes) -> bytes:
    import numpy as np

    if not content.startswith(b"\x93NUMPY"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    sink = io.BytesIO()
    np.save(sink, clean, allow_pickle=False)
    return sink.getvalue()

"""XCom values of numpy and pandas, without pickles: arrays in numpy's own file form, tables as Parquet, both in base64.

Neither library is a dependency of flowd, nor imported before a task has a value of it. A table needs pandas' Parquet
engine, pyarrow, beside it in the environment of both tasks.
"""

import base64
import importlib
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

_ENGINE = "pyarrow"


def from_numpy(value: Any) -> str | None:
    """Return an array or one of numpy's scalars in base64; None for what is of another library.

    Raises ValueError for an array of Python objects, which only a pickle could hold, and for one with a mask.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.ndarray, numpy.generic)):
        return None
    if isinstance(value, numpy.ma.MaskedArray):
        raise ValueError("its mask would be lost; use value.filled()")
    return _octets(lambda file: numpy.save(file, value, allow_pickle=False))


def to_numpy(stored: str) -> Any:
    """Return the array, or the scalar, that `from_numpy` wrote; raise ValueError where numpy is not installed."""
    numpy = _library("numpy")
    array = numpy.load(BytesIO(base64.b64decode(stored)), allow_pickle=False)
    # An array without a dimension is how numpy's file form holds a scalar.
    return array if array.ndim else array[()]


def from_frame(value: Any) -> str | None:
    """Return a DataFrame in base64; None for what is none. Raises ValueError for columns that Parquet cannot hold."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.DataFrame):
        return None
    return _parquet(value)


def to_frame(stored: str) -> Any:
    """Return the DataFrame that `from_frame` wrote; raise ValueError where pandas or its engine is not installed."""
    return _read_parquet(stored)


def from_series(value: Any) -> list[str | None] | None:
    """Return the name of a Series and itself in base64; None for what is none. Raises ValueError as `from_frame`."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.Series):
        return None
    if value.name is not None and not isinstance(value.name, str):
        raise ValueError(f"its name is {value.name!r}, and must be text")
    return [value.name, _parquet(value.to_frame("values"))]


def to_series(stored: list[Any]) -> Any:
    """Return the Series that `from_series` wrote; raise ValueError where pandas or its engine is not installed."""
    name, table = stored
    return _read_parquet(table)["values"].rename(name)


def is_truth(value: Any) -> bool:
    """Whether `value` is numpy's True or False."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.bool_)


def _parquet(frame: Any) -> str:
    _library(_ENGINE)
    try:
        return _octets(lambda file: frame.to_parquet(file, engine=_ENGINE))
    except Exception as error:  # pyarrow's errors share no class with each other
        raise ValueError(f"Parquet cannot hold it: {error}") from error


def _read_parquet(stored: str) -> Any:
    pandas = _library("pandas")
    _library(_ENGINE)
    return pandas.read_parquet(BytesIO(base64.b64decode(stored)), engine=_ENGINE)


def _octets(write: Callable[[BytesIO], object]) -> str:
    file = BytesIO()
    write(file)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"an XCom of this kind needs {name}, which is not installed here: {error}") from error

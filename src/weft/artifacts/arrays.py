"""NumPy arrays and scalars as bytes, without pickle: the ``.npy`` format, read and written without copies.

NumPy is imported only to read an array; an array to be written has brought it along. An array's bytes may be
a private memory map of its blob: reading touches no memory until it is used, and writing changes only it.
"""

import io
import sys
from typing import Any

from weft.artifacts.blobs import Data

NUMPY = "numpy"
_HEADER_MAX = 10_000
"""NumPy refuses to parse a longer header."""


def encode_array(obj: Any) -> tuple[Data, ...] | None:
    """The ``.npy`` parts of an exact ``ndarray``; ``None`` where only pickle would keep it as it is."""
    np = sys.modules["numpy"]
    dtype = obj.dtype
    if type(obj) is not np.ndarray or dtype.hasobject or dtype.metadata or dtype.itemsize == 0:
        return None
    form = np.lib.format
    if not obj.flags.c_contiguous and not obj.flags.f_contiguous:
        obj = np.ascontiguousarray(obj)
    header = io.BytesIO()
    try:
        if form.descr_to_dtype(form.dtype_to_descr(dtype)) != dtype:
            return None
        form.write_array_header_1_0(header, form.header_data_from_array_1_0(obj))
    except (ValueError, TypeError):
        return None
    if header.tell() > _HEADER_MAX:
        return None
    flat = obj.reshape(-1) if obj.flags.c_contiguous else obj.T.reshape(-1)
    # Through bytes, because the buffer protocol knows no dates.
    return header.getvalue(), (flat.view(np.uint8).data if flat.size else b"")


def decode_array(data: Data) -> Any:
    """The array back, writable; it shares ``data`` where that is writable and aligned."""
    import numpy as np  # noqa: PLC0415 - 100 ms, and only where an array is really opened

    shape, fortran, dtype, offset = _header(np, data)
    if 0 in shape:
        return np.zeros(shape, dtype, order="F" if fortran else "C")
    count = 1
    for size in shape:
        count *= size
    flat = np.frombuffer(data, dtype, count=count, offset=offset)
    if not (flat.flags.writeable and flat.flags.aligned):
        flat = flat.copy()
    return flat.reshape(shape, order="F" if fortran else "C")


def describe_array(data: Data) -> str:
    """Shape and element type in words, for previews."""
    import numpy as np  # noqa: PLC0415 - as above

    shape, _, dtype, _ = _header(np, data)
    return f"array {' x '.join(map(str, shape)) or '()'} {dtype}"


def encode_scalar(obj: Any) -> tuple[str, bytes] | None:
    """A NumPy scalar's element type and bytes; ``None`` where they would not give the same type again."""
    np = sys.modules["numpy"]
    dtype = obj.dtype
    if dtype.hasobject or dtype.names or dtype.itemsize == 0:
        return None
    text = str(dtype.str)
    return (text, obj.tobytes()) if np.dtype(text).type is type(obj) else None


def decode_scalar(text: str, data: Data) -> Any:
    """The NumPy scalar back."""
    import numpy as np  # noqa: PLC0415 - as above

    return np.frombuffer(data, np.dtype(text), count=1)[0]


def _header(np: Any, data: Data) -> tuple[tuple[int, ...], bool, Any, int]:
    file = io.BytesIO(memoryview(data)[: _HEADER_MAX + 16])
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not an array that Weft wrote")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER_MAX)
    if dtype.hasobject:
        raise ValueError("an array of pickled objects")
    return shape, fortran, dtype, file.tell()

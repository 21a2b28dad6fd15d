"""Files from public addresses: checked before they get their name, so that no half of one is ever found."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import IO

_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 16


@contextlib.contextmanager
def written_atomically(path: str) -> Iterator[IO[bytes]]:
    """A file to write to that is renamed to `path` at the end, or removed if an exception comes in between."""
    path = os.path.realpath(path)
    directory, name = os.path.split(path)
    if not os.path.isdir(directory):
        raise FileNotFoundError(f"{path}: there is no directory {directory}")
    temporary = os.path.join(directory, f".{name}.{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


def fetch(op: str, url: str, path: str, sha256: str) -> None:
    """Downloads `url` to `path`; the file is complete and has the SHA-256 sum `sha256`, or is absent.

    Raises OSError (ConnectionError) if the address cannot be reached or ends early, ValueError for another sum; both
    name the address. A server that stays silent for half a minute counts as not reached.
    """
    # Loading these takes as long as loading chainrule.
    import http.client
    import urllib.error
    import urllib.request

    digest, size = hashlib.sha256(), 0
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with written_atomically(path) as file:
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
                wanted = response.headers.get("Content-Length")
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            raise ConnectionError(f"{op}: {url}: {error} (after {size} bytes)") from error
        if wanted is not None and size != int(wanted):
            raise ConnectionError(f"{op}: {url}: ended after {size} of {wanted} bytes")
        if digest.hexdigest() != sha256:
            raise ValueError(
                f"{op}: {url}: SHA-256 of the {size} bytes must be {sha256}, is {digest.hexdigest()}"
            )

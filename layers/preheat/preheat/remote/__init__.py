"""Packs that live outside the function's package: `file://` (an EFS mount, say) in place, `s3://` fetched at start.

Imported only where a pack is named by its address; nothing here is on another cold start's path.
"""

from __future__ import annotations

import os

from preheat.fields import PackError
from preheat.pack import pack_folders, read_pack, read_packs
from preheat.surroundings import variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from preheat.pack import Pack

SCHEMES = ("file://", "s3://")


def add_packs(root: str, addresses: Iterable[str], scratch: str) -> tuple[list[Pack], dict[str, PackError]]:
    """The packs below a folder, if there are any, and those at addresses; and why the rest cannot be read, by name."""
    local = os.path.isdir(root) and pack_folders(root)
    packs, unreadable = read_packs(root) if local else ([], {})
    taken = {pack.name: pack.folder for pack in packs}
    for address in addresses:
        try:
            pack = open_address(address, scratch, variables())
        except (PackError, OSError) as error:
            failure = error if isinstance(error, PackError) else PackError(f"{address}: {error}")
            failure.required = False  # what is out of reach for a while must not end what serves the rest
            unreadable[address.rstrip("/").rsplit("/", 1)[-1]] = failure
            continue
        if pack.name in taken:
            raise PackError(f"{address} and {taken[pack.name]} are both named {pack.name}; rename one")
        taken[pack.name] = address
        packs.append(pack)
    return packs, unreadable


def open_address(address: str, scratch: str, environ: Mapping[str, str]) -> Pack:
    """The pack at an address; one in S3 is brought to a folder below `scratch`, its hashes checked on the way.

    `environ` has the credentials and the region, by AWS's own names. Raises PackError.
    """
    if address.startswith("file://"):
        path = address.removeprefix("file://")
        if not os.path.isabs(path):
            raise PackError(f"{address}: a file address has three slashes, file:///mnt/models/name")
        return read_pack(path)
    if address.startswith("s3://"):
        from preheat.remote.fetch import fetch_pack
        from preheat.remote.s3 import Bucket

        bucket, _, prefix = address.removeprefix("s3://").strip("/").partition("/")
        if not bucket or not prefix:
            raise PackError(
                f"{address}: an S3 address names a bucket and a pack's prefix, s3://bucket/models/name"
            )
        return fetch_pack(Bucket.of(bucket, environ), prefix, scratch)
    raise PackError(f"{address}: a pack's address begins with {' or '.join(SCHEMES)}")

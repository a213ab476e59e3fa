"""The commands of a person at a terminal."""

import asyncio
import sys

from postal_track.database import migrate


def main() -> None:
    if sys.argv[1:] == ["migrate"]:
        asyncio.run(migrate())


if __name__ == "__main__":
    main()

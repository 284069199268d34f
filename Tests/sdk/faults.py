"""A disk that fails on command, for programs that get `environment`."""

import mmap
import struct

SYNC, WRITE, READ, OPEN, TRUNCATE = 1, 2, 4, 8, 16
# `struct fault` of faults.c.
LAYOUT = struct.Struct("iiii64s")


class Faults:
    """What fails from now on, until it is over."""

    def __init__(self, library, file):
        file.write_bytes(bytes(LAYOUT.size))
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_FILE": str(file)}
        with file.open("r+b") as opened:
            self.page = mmap.mmap(opened.fileno(), LAYOUT.size)

    def begin(self, calls, error, suffix, skip=0):
        """Calls on files whose path ends so fail with that errno, after the first `skip`."""
        self.end()
        LAYOUT.pack_into(self.page, 0, 0, error, skip, 0, suffix.encode())
        struct.pack_into("i", self.page, 0, calls)

    def end(self):
        struct.pack_into("i", self.page, 0, 0)

    @property
    def hits(self):
        """How many calls have failed since the beginning."""
        return LAYOUT.unpack_from(self.page)[3]

"""Together: the same bytes written to many sockets by one system call (io_uring, Linux 6.0).

A call for each pays for the way into the kernel and back, which guards against Spectre have made
long, and for what Python does on both sides of it. Where io_uring is forbidden, as in Docker's
usual seccomp profile, each socket is written to by a call of its own. Numbers and layouts are those
of `linux/io_uring.h`.
"""

import ctypes
import mmap
import os
from array import array
from collections.abc import Sequence
from contextlib import suppress

Odd = tuple[int, int]
"""The place of a socket that did not take all, and how much it took, or `-errno`."""

ENTRIES = 512
FEW = 8
"""So few are better written to one by one: preparing them costs as much as it saves."""

_SETUP, _ENTER = 425, 426
_SUBMIT_ALL, _COOP_TASKRUN, _SINGLE_ISSUER = 1 << 7, 1 << 8, 1 << 12
_GETEVENTS = 1
_OFFSET_OF_ENTRIES = 0x10000000
_ENTRY_BYTES, _RESULT_WORDS = 64, 4
_SEND = 26
_DONTWAIT_NOSIGNAL = 0x4040

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes, _syscall.restype = [ctypes.c_long] * 7, ctypes.c_long


class Together:
    """An io_uring of this thread. Between calls it is empty: nothing ever waits in it."""

    def __init__(self) -> None:
        """Open it; raises `OSError` where there is none, or it is forbidden."""
        # `struct io_uring_params` in words: of submissions from the tenth on, then of completions.
        told = array("I", [0] * 30)
        told[2] = _SUBMIT_ALL | _COOP_TASKRUN | _SINGLE_ISSUER
        self._fd = _called(_SETUP, ENTRIES, told.buffer_info()[0])
        count, self._results = told[:2]
        order, first = told[16] // 4, told[25] // 4
        end = first + _RESULT_WORDS * self._results
        rings = memoryview(mmap.mmap(self._fd, 4 * max(order + count, end)))
        self._words = words = rings.cast("I")
        self._begun, self._asked = told[10] // 4, told[11] // 4
        self._heard, self._done = told[20] // 4, told[21] // 4
        self._slots, self._taken = words[first:end:4], rings.cast("i")[first + 2 : end : 4]
        entries = memoryview(mmap.mmap(self._fd, _ENTRY_BYTES * count, offset=_OFFSET_OF_ENTRIES))
        self._fds, self._addresses = entries.cast("i")[1::16], entries.cast("Q")[2::8]
        self._lengths = entries.cast("I")[6::16]
        # What stays the same.
        entries[0::64] = bytes([_SEND]) * count
        entries.cast("I")[7::16] = array("I", [_DONTWAIT_NOSIGNAL]) * count
        entries.cast("Q")[4::8] = array("Q", range(count))
        words[order : order + count] = array("I", range(count))

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)

    def write(self, fds: Sequence[int], content: bytes) -> tuple[int, list[Odd]]:
        """Write to the first of some sockets, nearly always all; say how many, and who was odd.

        They do not block. Fewer it is when the kernel has no memory for more just now.
        """
        odd: list[Odd] = []
        place, begun = 0, 1
        while begun and place < len(fds):
            slot, begun = self._begin(fds[place:], content)
            odd += ((place + at - slot, taken) for at, taken in self._heard_of(len(content)))
            place += begun
        return place, odd

    def _begin(self, fds: Sequence[int], content: bytes) -> tuple[int, int]:
        """Write to the first of them; say from which slot on, and to how many."""
        words = self._words
        before = words[self._asked]
        slot = before % ENTRIES
        fds = fds[: ENTRIES - slot]
        count, end = len(fds), slot + len(fds)
        address = ctypes.c_void_p.from_buffer(ctypes.c_char_p(content)).value or 0
        self._fds[slot:end] = array("i", fds)
        self._addresses[slot:end] = array("Q", [address]) * count
        self._lengths[slot:end] = array("I", [len(content)]) * count
        words[self._asked] = (before + count) % (1 << 32)
        with suppress(OSError):
            # As none may wait, all that were begun are done when it returns.
            _called(_ENTER, self._fd, count, count, _GETEVENTS)
        words[self._asked] = words[self._begun]
        return slot, (words[self._begun] - before) % (1 << 32)

    def _heard_of(self, length: int) -> list[Odd]:
        """Take in what became of those that were begun: the slots of those that are odd."""
        begin, done = self._words[self._heard], self._words[self._done]
        self._words[self._heard] = done
        first = begin % self._results
        end = first + (done - begin) % (1 << 32)
        taken = self._taken[first:end].tolist()
        if taken.count(length) == len(taken):
            return []
        return [
            (at, one)
            for at, one in zip(self._slots[first:end], taken, strict=True)
            if one != length
        ]


def _called(number: int, *arguments: int) -> int:
    """Make a system call; raises `OSError`."""
    result = int(_syscall(number, *arguments, *[0] * (6 - len(arguments))))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

#!/usr/bin/env python3
"""A slow network without `tc netem`: carries packets between TAP devices of two network namespaces, late, and loses some.

    slow_link.py NAMESPACE NAMESPACE MILLISECONDS PERCENT

Makes the device `slow0` in either, and runs until it is ended. For kernels that have no netem.
"""
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
CLONE_NEWNET = 0x40000000


def enter(namespace: int) -> None:
    """Has this process see another network."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def tap(name: str) -> int:
    """A TAP device of a namespace."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    namespace = os.open(f"/run/netns/{name}", os.O_RDONLY)
    enter(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"slow0", IFF_TAP | IFF_NO_PI))
    enter(home)
    os.close(namespace)
    os.close(home)
    return device


def main() -> None:
    names, delay, loss = sys.argv[1:3], float(sys.argv[3]) / 1000, float(sys.argv[4]) / 100
    ends = [tap(name) for name in names]
    others = {ends[0]: ends[1], ends[1]: ends[0]}
    chance = random.Random(1)
    waiting: list[tuple[float, int, int, bytes]] = []
    count = lost = 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        readable, _, _ = select.select(ends, [], [], max(0, waiting[0][0] - now) if waiting else None)
        now = time.monotonic()
        for end in readable:
            while True:
                try:
                    packet = os.read(end, 1 << 16)
                except BlockingIOError:
                    break
                count += 1
                if chance.random() < loss:
                    lost += 1
                else:
                    heapq.heappush(waiting, (now + delay, count, others[end], packet))
        while waiting and waiting[0][0] <= now:
            _, _, end, packet = heapq.heappop(waiting)
            try:
                os.write(end, packet)
            except OSError:
                lost += 1  # the device is not up yet, or its queue is full


main()

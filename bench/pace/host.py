"""The machine that a bench runs on: when its disk is calm, its memory warm, and its processors awake and its own."""

import math
import mmap
import os
import shutil
import subprocess
import sys
import threading
import time

MOST_TAKEN = 0.015  # Of a processor, by the machine's host, in a second that counts as undisturbed.
RECOVERY_S = 5  # The aim for holding the setpoint again.


def settle(folder, patience_s=60):
    """What was written is on the disk, and the disk has got over it: it syncs small writes fast again."""
    os.sync()
    deadline, calm = time.monotonic() + patience_s, 0
    with open(f"{folder}/calm", "wb", buffering=0) as file:
        while calm < 300 and time.monotonic() < deadline:
            began = time.monotonic()
            os.pwrite(file.fileno(), b"calm", 0)
            os.fdatasync(file.fileno())
            calm = calm + 1 if time.monotonic() - began < 0.003 else 0


def memory_folder(size):
    """None when it has no room for the copies of a move of so many bytes and what comes with them."""
    shm = "/dev/shm"
    if not os.path.isdir(shm):
        return None
    with open("/proc/meminfo", encoding="ascii") as file:
        available = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    return shm if min(shutil.disk_usage(shm).free, available) > 4 * size else None


class WarmMemory:
    """A host may back the memory of a virtual machine only once it is touched, and take back what is free for a while: each
    fresh page of a copy then costs its node several times what the move does. So this holds as much as the copies will need,
    touched, and lets go of it as the folder grows, a little ahead. Small pieces of small pages: the kernel gives out the
    smallest free ones first."""

    PIECE = 4 << 20
    AHEAD = 300 << 20

    def __init__(self, folder, size):
        self.folder, self.size, self.held = folder, size, []
        self.used_before = shutil.disk_usage(folder).used
        self.follow()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            time.sleep(0.02)
            self.follow()

    def follow(self):
        used = shutil.disk_usage(self.folder).used - self.used_before
        wanted = max(self.size - used - self.AHEAD, 0) // self.PIECE
        while len(self.held) > wanted:
            self.held.pop().close()
        while len(self.held) < wanted:
            piece = mmap.mmap(-1, self.PIECE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            for page in range(0, self.PIECE, mmap.PAGESIZE):
                piece[page] = 1
            self.held.append(piece)


def on_each_processor(script):
    """A process of this Python script for each processor. It gets the processor's number, and our process id, with which it is
    to end."""
    return [subprocess.Popen([sys.executable, "-c", script, str(processor), str(os.getpid())], stdout=subprocess.PIPE, text=True)
            for processor in os.sched_getaffinity(0)]


def end(processes):
    for process in processes:
        process.kill()
        process.wait()


class AwakeProcessors:
    """A virtual machine's processor that has nothing to do is given away, and to get it back takes the longer the more the
    host has to do: requests of a load that leaves it idle in between wait for that, each time, at any rate of a move. So each
    processor has something to do that everything else comes before."""

    SPIN = ("import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\n"
            "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
            "while os.getppid() == int(sys.argv[2]):\n for _ in range(1000000): pass")

    def __init__(self):
        self.spinning = on_each_processor(self.SPIN)

    def stop(self):
        end(self.spinning)


class Host:
    """What the host of a virtual machine takes away from its processors is no work of the nodes: each second's share, of the
    processor that lost most. The kernel counts some of it; the rest shows in how late a thread wakes that comes before all
    others here, where one may have such a thread."""

    PROBE = ("import os, sys, time\nos.sched_setaffinity(0, {int(sys.argv[1])})\n"
             "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))\n"
             "second, late = int(time.time()), 0\n"
             "while os.getppid() == int(sys.argv[2]):\n"
             " began = time.monotonic()\n time.sleep(0.001)\n"
             " over = time.monotonic() - began - 0.001\n"
             " if over > 0.0003: late += over\n"
             " if int(time.time()) != second:\n"
             "  print(second, late, flush=True)\n"
             "  second, late = int(time.time()), 0\n")

    def __init__(self):
        self.taken = {}  # By unix seconds.
        self.probes = []
        threading.Thread(target=self.count, daemon=True).start()
        if os.geteuid() == 0:
            self.probes = on_each_processor(self.PROBE)
        for probe in self.probes:
            threading.Thread(target=self.read, args=(probe,), daemon=True).start()

    def stop(self):
        end(self.probes)

    def read(self, probe):
        for line in probe.stdout:
            second, late = line.split()
            self.lost(int(second), float(late))

    def count(self):
        before = self.ticks()
        while True:
            time.sleep(1)
            now = self.ticks()
            self.lost(int(time.time() - 0.5), (now[0] - before[0]) / max(now[1] - before[1], 1))
            before = now

    def lost(self, second, share):
        self.taken[second] = max(share, self.taken.get(second, 0))

    @staticmethod
    def ticks():
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(number) for number in file.readline().split()[1:9]]
        return ticks[7], sum(ticks)

    def wait_until_quiet(self, patience_s=30):
        """It has left the processors to this machine for some seconds."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and self.disturbed(time.time() - 2):
            time.sleep(1)

    def took(self, first, last):
        """Whether it took some between these unix times, in seconds."""
        return any(self.taken.get(second, 0) > MOST_TAKEN for second in range(int(first), math.ceil(last)))

    def disturbed(self, unix_s):
        """Whether it took some in the second that begins then, or in those before it that the controller may take to hold its
        setpoint again."""
        return self.took(unix_s - RECOVERY_S, unix_s + 1)

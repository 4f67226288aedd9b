"""Does one turn of work over Python's multiprocessing; prints what it measured as JSON.

A message is its number, as often as it fits: built whole and looked at at both ends, which is what
Python does fast. Checking each byte would measure the interpreter.
"""

import ctypes
import json
import multiprocessing
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
LAST = 2**64 - 1


def content(number, length):
    return (number.to_bytes(8, "little") * (length // 8 + 1))[:length]


def number_of(message, length=None):
    number = int.from_bytes(message[:8], "little")
    length = len(message) if length is None else length
    if len(message) != length or message[-8:] != content(number, length)[-8:]:
        sys.exit(f"message {number} arrived with other bytes than were sent")
    return number


def varying_length(number):
    return 8 + ((number * 0x9E3779B97F4A7C15 % 2**64) >> 40) % 1017


class PipeEnds:
    """One direction."""

    def __init__(self, _capacity):
        self.reads, self.writes = multiprocessing.Pipe(duplex=False)

    def send(self, message):
        self.writes.send_bytes(message)

    def receive(self):
        return self.reads.recv_bytes()

    def close(self):
        self.reads.close()
        self.writes.close()


class QueueEnds:
    def __init__(self, capacity):
        self.queue = multiprocessing.Queue(capacity)

    def send(self, message):
        self.queue.put(message)

    def receive(self):
        return self.queue.get()

    def close(self):
        self.queue.close()
        self.queue.join_thread()


def enter(core):
    """Dies with its parent, on its core."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    pin(core)


def pin(core):
    if core is not None:
        os.sched_setaffinity(0, {core})


def start(target, *arguments):
    process = multiprocessing.Process(target=target, args=arguments)
    process.start()
    return process


def finish(processes):
    for process in processes:
        process.join()
        if process.exitcode != 0:
            sys.exit(f"a process ended with {process.exitcode}")


def echo(core, there, back, ready):
    enter(core)
    ready.set()
    while True:
        message = there.receive()
        number = number_of(message)
        back.send(content(number, len(message)))
        if number == LAST:
            return


def round_trip(order, Ends):
    there, back, ready = Ends(order["capacity"]), Ends(order["capacity"]), multiprocessing.Event()
    child = start(echo, order["cores"][1], there, back, ready)
    ready.wait()
    length, samples = order["bytes"], []
    begin = time.perf_counter_ns()
    warm = begin + int(order["seconds"] * 1e8)
    deadline = begin + int(order["seconds"] * 1e9)
    number = end = 0
    while end < deadline:
        started = time.perf_counter_ns()
        there.send(content(number, length))
        reply = number_of(back.receive(), length)
        end = time.perf_counter_ns()
        if reply != number:
            sys.exit(f"message {number} came back as {reply}")
        if end > warm:
            samples.append(end - started)
        number += 1
    there.send(content(LAST, length))
    back.receive()
    finish([child])
    return {"samples_ns": samples}


def length_of(order, number):
    return varying_length(number) if order["kind"] == "bytes" else order["bytes"]


def send_all(order, channel, go, stop):
    enter(order["cores"][1])
    go.wait()
    number = 0
    while not stop.is_set():
        # Asking an event takes longer than sending a message.
        for _ in range(32):
            channel.send(content(number, length_of(order, number)))
            number += 1
    channel.send(content(LAST, 8))


def stream(order, Ends):
    channel, go, stop = Ends(order["capacity"]), multiprocessing.Event(), multiprocessing.Event()
    child = start(send_all, order, channel, go, stop)
    go.set()
    next_number = counted = 0
    begin = end = None
    while True:
        message = channel.receive()
        number = number_of(message)
        if number == LAST:
            break
        if number != next_number or len(message) != length_of(order, number):
            sys.exit(f"message {next_number} arrived as {number}, {len(message)} bytes")
        next_number += 1
        now = time.perf_counter_ns()
        if begin is None:
            # From the first message on: the child needs time to start.
            begin, first = now, number
            warm, deadline = (begin + int(order["seconds"] * share) for share in (1e8, 1e9))
        elif now < warm:
            begin, first = now, number
        elif end is None and now >= deadline:
            end, counted = now, number - first
            stop.set()
    finish([child])
    return {"count": counted, "elapsed_ns": end - begin}


def produce(order, index, channel, go, stop, report):
    enter(order["cores"][index % 2])
    go.wait()
    started = time.perf_counter_ns()
    number = total = 0
    while not stop.is_set():
        for _ in range(32):
            word = index << 56 | number
            channel.send(content(word, order["bytes"]))
            total += word
            number += 1
    channel.send(content(LAST, order["bytes"]))
    report.put(("sent", number, total, started))
    # Both have to be through before this process ends.
    channel.close()


def consume(order, index, channel, go, report):
    enter(order["cores"][index % 2])
    go.wait()
    count = total = 0
    seen = {}
    while True:
        word = number_of(channel.receive(), order["bytes"])
        if word == LAST:
            break
        sender = word >> 56
        if word <= seen.get(sender, -1):
            sys.exit(f"message {word:#x} came out of order")
        seen[sender] = word
        count += 1
        total += word
    report.put(("received", count, total, time.perf_counter_ns()))


def mpmc(order, Ends):
    channel, go, stop = Ends(order["capacity"]), multiprocessing.Event(), multiprocessing.Event()
    report, pairs = multiprocessing.Queue(), order["pairs"]
    children = [start(produce, order, i, channel, go, stop, report) for i in range(pairs)]
    children += [start(consume, order, pairs + i, channel, go, report) for i in range(pairs)]
    go.set()
    time.sleep(order["seconds"])
    stop.set()
    reports = [report.get() for _ in children]
    finish(children)
    sums = {
        kind: [sum(r[field] for r in reports if r[0] == kind) for field in (1, 2)]
        for kind in ("sent", "received")
    }
    if sums["sent"] != sums["received"]:
        sys.exit(f"what was sent and what was received differ: {sums}")
    begin = min(r[3] for r in reports if r[0] == "sent")
    end = max(r[3] for r in reports if r[0] == "received")
    return {"count": sums["received"][0], "elapsed_ns": end - begin}


def startup(order, Ends):
    samples = []
    deadline = time.perf_counter_ns() + int(order["seconds"] * 1e9)
    end = number = 0
    while end < deadline:
        started = time.perf_counter_ns()
        channel = Ends(order["capacity"])
        channel.send(content(number, order["bytes"]))
        if number_of(channel.receive(), order["bytes"]) != number:
            sys.exit("another message arrived")
        channel.close()
        end = time.perf_counter_ns()
        samples.append(end - started)
        number += 1
    return {"samples_ns": samples}


def main():
    order = json.loads(sys.argv[1])
    # Processes that inherit everything, as the others here do.
    multiprocessing.set_start_method("fork")
    pin(order["cores"][0])
    Ends = {"pipe": PipeEnds, "queue": QueueEnds}[order["means"]]
    work = {"round_trip": round_trip, "stream": stream, "bytes": stream, "mpmc": mpmc}
    print(json.dumps(work.get(order["kind"], startup)(order, Ends)))


main()

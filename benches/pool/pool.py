"""Python's side: reads what to do and how often, a line each, and answers with the nanoseconds that it
took. `map COUNT CHUNK`: squares in a pool (chunk 0: its own choice). `texts COUNT CHUNK`: lengths of
texts. `get COUNT`, `update COUNT`: entries of a Manager's dict."""

import multiprocessing
import sys
import time

KEYS = 100


def square(n):
    return n * n


def length(text):
    return len(text)




def main():
    context = multiprocessing.get_context("fork")
    with context.Pool(int(sys.argv[1])) as pool:
        pool.map(square, range(100))
        print("ready", flush=True)
        answer(context, pool)


def answer(context, pool):
    shared, texts = None, []
    for line in sys.stdin:
        what, count, *chunk = line.split()
        count = int(count)
        if what in ("get", "update") and shared is None:
            shared = context.Manager().dict({key: 0 for key in range(KEYS)})
        if what == "texts" and len(texts) != count:
            texts = [f"text number {n}" for n in range(count)]
        before = sum(shared.values()) if what == "update" else 0
        began = time.perf_counter_ns()
        if what == "map":
            results = pool.map(square, range(count), int(chunk[0]) or None)
        elif what == "texts":
            results = pool.map(length, texts, int(chunk[0]) or None)
        elif what == "get":
            for n in range(count):
                shared[n % KEYS]
        else:
            for n in range(count):
                shared[n % KEYS] += 1
        took = time.perf_counter_ns() - began
        if what == "map" and (len(results) != count or results[-1] != (count - 1) ** 2):
            sys.exit("wrong squares")
        if what == "texts" and results != [len(text) for text in texts]:
            sys.exit("wrong lengths")
        if what == "update" and sum(shared.values()) != before + count:
            sys.exit("lost updates")
        print(took, flush=True)


main()

"""Python's side: reads a number of tasks and a chunk size (0: its own choice) a line, and answers with
the nanoseconds that a map took."""

import multiprocessing
import sys
import time


def square(n):
    return n * n


def main():
    context = multiprocessing.get_context("fork")
    with context.Pool(int(sys.argv[1])) as pool:
        pool.map(square, range(100))
        print("ready", flush=True)
        for line in sys.stdin:
            count, chunk = map(int, line.split())
            began = time.perf_counter_ns()
            results = pool.map(square, range(count), chunk or None)
            took = time.perf_counter_ns() - began
            if len(results) != count or results[-1] != (count - 1) ** 2:
                sys.exit("wrong squares")
            print(took, flush=True)


main()

"""The floor by itself: `python benchmarks/load/floor.py` relays frames until its input ends.

It says where it listens in one JSON line. What it does and does not do: `linnet.bench.floor`.
"""

from linnet.bench.floor import main

if __name__ == "__main__":
    main()

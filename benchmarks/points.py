"""Farthest points and nearest neighbours: every way that could be used, at the sizes that matter.

Run: python benchmarks/points.py. Needs jepakit[pointcloud] and jepakit-points; prints milliseconds, the best of five.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import fpsample
import numpy as np
import torch
from jepakit_points.groups import by_tree, nearest

SIZES = ((1024, 64), (4096, 128), (16_384, 512), (100_000, 1024))
NEIGHBOURS = 32


def best(run: Callable[[], object]) -> float:
    """Milliseconds of the fastest of five."""
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return 1e3 * min(spent)


def main() -> None:
    """Prints one line a size."""
    torch.set_num_threads(1)
    print("points centres | fpsample plain, bucket search | neighbours by all distances, by tree")
    for count, centres in SIZES:
        points = np.random.Generator(np.random.Philox(key=count)).normal(size=(count, 3)).astype(np.float32)
        plain = best(lambda points=points, centres=centres: fpsample.fps_sampling(points, centres, start_idx=0))
        bucket = best(lambda points=points, centres=centres: fpsample.bucket_fps_kdline_sampling(points, centres, h=7, start_idx=0))
        cloud = torch.from_numpy(points)[None]
        asked = cloud[:, :centres]
        distances = best(lambda cloud=cloud, asked=asked: torch.cdist(asked, cloud).topk(NEIGHBOURS, largest=False))
        tree = best(lambda cloud=cloud, asked=asked: by_tree(cloud, asked, NEIGHBOURS, None))
        assert nearest(cloud, asked, NEIGHBOURS, None).shape == (1, centres, NEIGHBOURS)
        print(f"{count:6d} {centres:7d} | {plain:8.2f} {bucket:8.2f} | {distances:8.2f} {tree:8.2f}")


if __name__ == "__main__":
    main()

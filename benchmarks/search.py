"""100,000 probes against a gallery of 100,000 at 512-d: time, and that peak memory is that of the blocks.

PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/search.py [--probes N] [--gallery N]
"""

import argparse
import multiprocessing
import resource
import time

import torch
import torch.nn.functional as F

from lrface.metrics.identification import search

DIMENSIONS = 512
BATCHES = (512, 2048, 4096)
MIB = 1024


def peak() -> float:
    """Peak memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def measure(probes: int, gallery: int, probe_batch: int) -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    # Made in place and in small pieces, so that making them does not set the peak.
    templates = torch.randn(gallery, DIMENSIONS, generator=generator)
    templates /= templates.norm(dim=1, keepdim=True)
    mates = torch.randint(gallery, (probes,), generator=generator)
    searched = torch.empty(probes, DIMENSIONS)
    for start in range(0, probes, 1_000):
        stop = min(start + 1_000, probes)
        noise = torch.randn(stop - start, DIMENSIONS, generator=generator) / DIMENSIONS**0.5
        searched[start:stop] = F.normalize(templates[mates[start:stop]] + 3.0 * noise)
    before = peak()
    started = time.perf_counter()
    found = search(searched, templates, mates, probe_batch=probe_batch)
    took = time.perf_counter() - started
    rank1 = float((found.rank == 1).mean())
    print(
        f"{probes:,} probes, {gallery:,} templates, blocks of {probe_batch:,} x 8,192: {took:.0f} s, one thread; "
        f"peak {peak():.0f} MiB, of which the search {peak() - before:.0f} MiB "
        f"(all scores at once: {4 * probes * gallery / 2**20:,.0f} MiB); rank-1 {rank1:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--probes", type=int, default=100_000)
    parser.add_argument("--gallery", type=int, default=100_000)
    given = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")  # the peak of a process never falls again
    # The second time with a tenth of the probes: memory follows the block, not the product.
    wanted = [(given.probes, 2048), *((given.probes // 10, batch) for batch in BATCHES)]
    for probes, batch in wanted:
        process = fresh.Process(target=measure, args=(probes, given.gallery, batch))
        process.start()
        process.join()


if __name__ == "__main__":
    main()

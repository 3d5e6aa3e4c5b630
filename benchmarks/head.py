"""What the margin head costs by the number of people: processor time of a step of 64 embeddings on one core.

python benchmarks/head.py                 10k and 100k people, whole and sampled
python benchmarks/head.py 1000000 0.02    so many people, this share of them sampled
"""

import resource
import subprocess
import sys
import time

import torch
from torch.nn import functional as F

from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import MarginSettings

BATCH, STEPS = 64, 3


def measure(classes: int, sample: float) -> None:
    """Print the line of a table: seconds of each part of a step, and the peak of memory."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    head = MarginHead(MarginSettings(start="random", sample=sample), classes, generator)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-4, weight_decay=5e-4, fused=True)
    spent = {"loss": 0.0, "backward": 0.0, "clip": 0.0, "step": 0.0}
    for turn in range(STEPS + 1):
        embeddings = F.normalize(torch.randn(BATCH, 512, generator=generator)).requires_grad_()
        labels = torch.randint(classes, (BATCH,), generator=generator)
        optimizer.zero_grad(set_to_none=True)
        marks = [time.process_time()]
        loss = head(embeddings, labels, head.sampled(labels, generator))
        marks.append(time.process_time())
        loss.backward()
        marks.append(time.process_time())
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        marks.append(time.process_time())
        optimizer.step()
        marks.append(time.process_time())
        if turn:
            for place, name in enumerate(spent):
                spent[name] += (marks[place + 1] - marks[place]) / STEPS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    parts = " | ".join(f"{seconds:.3f}" for seconds in spent.values())
    print(f"| {classes:,} | {sample:g} | {parts} | {sum(spent.values()):.3f} | {peak:.1f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(int(sys.argv[1]), float(sys.argv[2]))
    else:
        print("| people | sample | loss, s | backward, s | clip, s | AdamW, s | step, s | peak, GB |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
        for classes in (10_000, 100_000):
            for sample in (1.0, 0.1):
                # A process each, since a peak of memory never falls.
                subprocess.run([sys.executable, __file__, str(classes), str(sample)], check=True)  # noqa: S603

"""One peer of the benchmarks: `python peer.py keras|torch|onnxruntime|onnxruntime_parallel`.

Each line of standard input is a request, each line of standard output its answer, both JSON:

  {"do": "open", "model", "device", "threads", "graph", "cut"}   -> {"version", "kernels"}
  {"do": "forward", "batch", "seconds"}    batches of pixels in memory -> {"images", "seconds", "cpuSeconds"}
  {"do": "extract", "files", "batch"}      features of JPEG files      -> {"images", "seconds", "cpuSeconds"}

A request may hold more, for other peers. `kernels` counts the values in weights of two or more axes: equal
for the same architecture. A failure is {"error"}. What libraries print goes to standard error."""

import importlib
import sys
import time

import numpy as np
from serve import serve


def measured(work):
    """`work` gives a number of images. CPU seconds are those of this process, not of its children."""
    started, cpu = time.perf_counter(), time.process_time()
    images = work()
    return {
        "images": images,
        "seconds": time.perf_counter() - started,
        "cpuSeconds": time.process_time() - cpu,
    }


def forward(peer, batch, seconds, **_):
    run = peer.forward(batch)

    def work():
        images, until = 0, time.perf_counter() + seconds
        while images == 0 or time.perf_counter() < until:
            rows = run()
            images += len(rows)
        assert np.isfinite(rows).all(), "features are not finite"
        return images

    return measured(work)


def extract(peer, files, batch, **_):
    def work():
        rows = peer.extract(files, batch)
        assert rows.shape[0] == len(files) and np.isfinite(rows).all(), "features are missing"
        return len(rows)

    return measured(work)


def answer_to(request, peers):
    do = request.pop("do")
    if do == "open":
        peers.append(importlib.import_module(f"{sys.argv[1]}_peer").Peer(**request))
        return {"version": peers[0].version, "kernels": peers[0].kernels}
    return {"forward": forward, "extract": extract}[do](peers[0], **request)


serve(answer_to)

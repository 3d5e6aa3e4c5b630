"""A thousand requests from eight clients to a served pair: how many are lost, how long they take.

    python benchmarks/serving.py models:/lrface@champion
    python benchmarks/serving.py --url http://127.0.0.1:5001    # a server that runs already

Each request holds one drawn face of 8 to 32 pixels and asks for its embedding, its super-resolved picture and its
name among a hundred made-up people. A request is lost where it has no answer of status 200 within a minute.
"""

import argparse
import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from lrface.images.procedural import draw_identity, draw_nuisance, render

STARTS_WITHIN = 300.0
JSON = {"Content-Type": "application/json"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "model", nargs="?", default="models:/lrface@champion", help="what `mlflow models serve` is given"
    )
    parser.add_argument("--url", help="address of a server that runs already")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--people", type=int, default=100, help="people in the gallery; 0 asks for no names")
    given = parser.parse_args()
    bodies = [body(number, identify=given.people > 0 and given.url is None) for number in range(32)]
    if given.url:
        return report(*fire(given.url, bodies, given.requests, given.clients))
    with tempfile.TemporaryDirectory() as scratch:
        url, process = serve(given.model, Path(scratch))
        try:
            enrol(url, given.people)
            return report(*fire(url, bodies, given.requests, given.clients))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


def picture(person: int, side: int) -> str:
    face = Image.fromarray(np.asarray(render(draw_identity(0, person), draw_nuisance(0, person, side, 0.5))))
    file = io.BytesIO()
    face.resize((side, side), Image.Resampling.BICUBIC).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def body(number: int, *, identify: bool) -> bytes:
    data = {"columns": ["image"], "data": [[picture(number % 8, 8 + number % 25)]]}
    return json.dumps({"dataframe_split": data, "params": {"identify": identify}}).encode()


def serve(model: str, scratch: Path) -> tuple[str, subprocess.Popen[bytes]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    mlflow = shutil.which("mlflow") or str(Path(sys.executable).with_name("mlflow"))
    environment = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{Path.cwd() / 'mlruns' / 'mlflow.db'}",
        **os.environ,
        "LRFACE_GALLERY": str(scratch / "gallery.parquet"),
        "LRFACE_GALLERY_ENROL": "true",
    }
    start = time.perf_counter()
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the command is fixed
            [mlflow, "models", "serve", "-m", model, "--env-manager", "local", "-p", str(port)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            if requests.get(f"{url}/ping", timeout=1).ok:
                break
        except requests.RequestException:
            pass
        if process.poll() is not None or time.perf_counter() - start > STARTS_WITHIN:
            raise SystemExit((scratch / "log").read_text())
        time.sleep(0.2)
    print(f"up after {time.perf_counter() - start:.1f} s")
    return url, process


def enrol(url: str, people: int) -> None:
    for person in range(people):
        asked = {"inputs": {"image": [picture(person, 112)]}, "params": {"enrol": True, "name": f"p{person}"}}
        body = json.dumps(asked).encode()
        requests.post(f"{url}/invocations", data=body, headers=JSON, timeout=60).raise_for_status()


def fire(url: str, bodies: list[bytes], count: int, clients: int) -> tuple[list[float], int, float]:
    """Send all requests; return the latencies [s] of those that were answered, the lost ones, and the time in all."""
    numbers = iter(range(count))
    guard = threading.Lock()
    latencies: list[float] = []
    lost = 0

    def client() -> None:
        nonlocal lost
        with requests.Session() as session:
            while True:
                with guard:
                    number = next(numbers, None)
                if number is None:
                    return
                start = time.perf_counter()
                try:
                    answer = session.post(
                        f"{url}/invocations",
                        data=bodies[number % len(bodies)],
                        headers=JSON,
                        timeout=60,
                    )
                    fine = answer.status_code == 200 and len(answer.json()["predictions"][0]["embedding"]) == 512
                except (requests.RequestException, ValueError, KeyError):
                    fine = False
                took = time.perf_counter() - start
                with guard:
                    if fine:
                        latencies.append(took)
                    else:
                        lost += 1

    threads = [threading.Thread(target=client) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, lost, time.perf_counter() - start


def report(latencies: list[float], lost: int, total: float) -> int:
    print(f"answered {len(latencies)}, lost {lost}, {len(latencies) / total:.1f} a second")
    if latencies:
        at = np.percentile(latencies, [50, 95, 99]) * 1000
        print(f"latency: 50 % {at[0]:.0f} ms, 95 % {at[1]:.0f} ms, 99 % {at[2]:.0f} ms, longest {max(latencies):.3f} s")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

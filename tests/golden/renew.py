"""Renews the golden files and shows what changed: `make golden`, or `python -m tests.golden.renew`.

What is within its tolerance keeps its old value, so that small differences do not add up over renewals. The table says
what changed by how much; `build/golden.png` shows the faces that did: as they were, as they are, and the difference,
stretched. `--check` only shows.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .cases import GROUPS
from .store import HERE, read, write
from .summary import difference, keep

SHEET = Path(__file__).parents[2] / "build" / "golden.png"
TILE, ACROSS = 112, 4


def made(groups=tuple(GROUPS)):
    """Every output as it is today, and the seconds that each group took."""
    found, seconds = {}, {}
    for group in groups:
        started = time.perf_counter()
        for name, value, tolerance in GROUPS[group]():
            key = f"{group}/{name}"
            if key in found:
                raise ValueError(f"two outputs are called {key}")
            found[key] = keep(value, tolerance)
        seconds[group] = time.perf_counter() - started
    return found, seconds


def compared(new, old):
    """A line of the table for each output that is new, gone, or out of its tolerance or of a new one."""
    rows = {}
    for name in sorted(new.keys() | old.keys()):
        if name not in old:
            rows[name] = "new"
        elif name not in new:
            rows[name] = "gone"
        else:
            found = difference(new[name], old[name])
            if not found.fits:
                rows[name] = str(found)
            elif new[name].told["tolerance"] != old[name].told["tolerance"]:
                rows[name] = f"tolerance {_pair(old[name])} is now {_pair(new[name])}"
    return rows


def _pair(kept):
    tolerance = kept.told["tolerance"]
    return f"{tolerance['figures']:g} / {tolerance['each']:g}"


def sheet(names, new, old):
    """Faces that changed, a row for each output: its first faces as they were, as they are, and 8 times apart."""
    rows = []
    for name in names:
        now, before = (None if part is None else part.copy for part in (new.get(name), old.get(name)))
        faces = [part for part in (before, now) if part is not None and part.ndim == 4 and part.shape[1] == 3]
        if not faces:
            continue
        if len(faces) == 2 and faces[0].shape == faces[1].shape:
            faces.append(0.5 + 8 * (faces[1].astype(float) - faces[0].astype(float)))
        row = Image.new("RGB", (3 * ACROSS * TILE, TILE + 14), "white")
        ImageDraw.Draw(row).text((2, 1), f"{name}  (was, is, 8 x apart)" if len(faces) == 3 else name, fill="black")
        for block, part in enumerate(faces):
            for column, face in enumerate(part[:ACROSS]):
                pixels = (np.clip(face.astype(float), 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
                tile = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.NEAREST)
                row.paste(tile, ((block * ACROSS + column) * TILE, 14))
        rows.append(np.asarray(row))
    return np.concatenate(rows) if rows else None


def main(arguments=None, folder=HERE):
    """The command. Returns 1 where `--check` finds a change."""
    if "pytest" in sys.modules and folder == HERE:
        raise SystemExit("error: golden files: got a call from a test; expected a person; run make golden")
    parser = argparse.ArgumentParser(prog="python -m tests.golden.renew", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="show what would change, and write nothing")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="these groups alone")
    chosen = parser.parse_args(arguments)
    every = read(folder)
    old = {name: kept for name, kept in every.items() if name.partition("/")[0] in chosen.only}
    new, seconds = made(chosen.only)
    rows = compared(new, old)
    for name, row in rows.items():
        print(f"{name:<44} {row}")
    print(f"{len(new)} outputs in {sum(seconds.values()):.1f} s, {len(rows)} changed")
    picture = sheet(rows, new, old)
    if picture is not None:
        SHEET.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(SHEET)
        print(f"faces: {SHEET}")
    if rows and not chosen.check:
        kept = {name: new[name] if name in rows else old[name] for name in new}
        write({name: value for name, value in every.items() if name not in old} | kept, folder)
    return int(chosen.check and bool(rows))


if __name__ == "__main__":
    raise SystemExit(main())

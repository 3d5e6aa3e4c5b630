"""A small example of every kind of source: three pictures or more, as they lie on a disk."""

import struct

import cv2
import numpy as np
import pandas as pd

from lrface.images.alignment import TEMPLATE

MAGIC = 0xCED7230A


def save(path, pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(pixels[..., ::-1]))


def folder(root, faces):
    for number in range(4):
        save(root / f"p{number // 2}" / f"{number}.png", faces[number])


def multi_pie(root, faces):
    for number, (subject, light) in enumerate([(1, 6), (1, 7), (2, 6), (10, 6)]):
        save(root / f"{subject:03d}_01_01_051_{light:02d}.png", faces[number])


def split_folders(root, faces):
    for number, part in enumerate(("train", "train", "val", "test")):
        save(root / part / f"p{number}" / "1.png", faces[number])


def write_pairs(root, faces, by_folder=False):
    for number, subject in enumerate(["001", "001", "002"]):
        name = f"{subject}/{number}.png" if by_folder else f"{subject}_01_01_051_{number:02d}.png"
        save(root / "hr_images" / name, faces[number])
        save(root / "vlr_images" / name, faces[number, ::7, ::7])


def table(root, faces, **columns):
    for number in range(4):
        save(root / "photos" / f"{number}.png", faces[number])
    rows = {"path": [f"photos/{number}.png" for number in range(4)], "subject": ["007", "007", "NA", "b"], **columns}
    return pd.DataFrame(rows)


def listed(root, faces):
    table(root, faces).to_csv(root / "list.csv", index=False)
    return root / "list.csv"


def record(labels, content=b"") -> bytes:
    """A record, written here from the public description of the format."""
    if isinstance(labels, int):
        payload = struct.pack("<IfQQ", 0, float(labels), 0, 0) + content
    else:
        payload = struct.pack("<IfQQ", len(labels), 0.0, 0, 0) + struct.pack(f"<{len(labels)}f", *labels) + content
    parts = payload.split(struct.pack("<I", MAGIC))
    out = b""
    for place, part in enumerate(parts):
        flag = 0 if len(parts) == 1 else 1 if place == 0 else 3 if place == len(parts) - 1 else 2
        out += struct.pack("<II", MAGIC, flag << 29 | len(part)) + part + bytes(-len(part) % 4)
    return out


def encoded(face) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(face[..., ::-1]))[1].tobytes()


def write_record(path, faces, header=True):
    path.mkdir(exist_ok=True)
    labels = [0, 0, 1, 1, 1, 12]
    records = [record([7.0, 10.0])] if header else []
    records += [
        record([float(label), 0.0] if number == 3 else label, encoded(faces[number]))
        for number, label in enumerate(labels)
    ]
    if header:
        records += [record([1.0, 3.0]), record([3.0, 6.0]), record([6.0, 7.0])]
    offsets = np.cumsum([0, *map(len, records)])[:-1]
    (path / "train.rec").write_bytes(b"".join(records))
    (path / "train.idx").write_text("".join(f"{key}\t{offset}\n" for key, offset in enumerate(offsets)))
    return labels


def records(root, faces):
    write_record(root, faces)


def lfw(root, faces):
    base = root / "lfw-py"
    for number, name in enumerate(["Ann_Bee_0001", "Ann_Bee_0002", "Cy_Dee_0001"]):
        save(base / "lfw_funneled" / name[:-5] / f"{name}.jpg", faces[number])
    (base / "lfw-names.txt").write_text("Ann_Bee\t2\nCy_Dee\t1\n")
    (base / "people.txt").write_text("2\n1\nAnn_Bee\t2\n1\nCy_Dee\t1\n")


def celeba(root, faces):
    base = root / "celeba"
    names = [f"{number:06d}.jpg" for number in range(1, 7)]
    for number, name in enumerate(names):
        save(base / "img_align_celeba" / name, faces[number])
    points = " ".join(str(round(value)) for value in TEMPLATE.ravel())

    def write(file, values, header=""):
        (base / file).write_text(
            header + "".join(f"{name} {value}\n" for name, value in zip(names, values, strict=True))
        )

    write("identity_CelebA.txt", [10, 10, 11, 11, 12, 12])
    write("list_eval_partition.txt", [0, 0, 1, 1, 2, 2])
    write("list_bbox_celeba.txt", ["1 2 3 4"] * 6, "6\nimage_id x_1 y_1 width height\n")
    write("list_landmarks_align_celeba.txt", [points] * 6, "6\nlefteye_x lefteye_y\n")
    write("list_attr_celeba.txt", ["-1 1"] * 6, "6\nBald Young\n")


EXAMPLES = {
    "folder": folder,
    "flat": multi_pie,
    "split_folders": split_folders,
    "pairs": write_pairs,
    "list": listed,
    "records": records,
    "lfw": lfw,
    "celeba": celeba,
}
"""Writes a source of a kind under a folder; what it gives back is the path, where that is not the folder."""

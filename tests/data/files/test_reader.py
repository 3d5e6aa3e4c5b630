import threading
import time

import numpy as np
from PIL import Image

from lrface.data.files import reader as files
from lrface.data.files.reader import FileReader, ImageFile
from lrface.data.settings import AlignSettings, ReadSettings
from lrface.data.source import Report
from lrface.images.reading import reader as reading


def test_pictures_that_fill_the_memory_meant_for_them_are_decoded_one_by_one(tmp_path, monkeypatch):
    plain, lock, now, most = reading._pixels, threading.Lock(), 0, 0

    def watched(*words):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        try:
            return plain(*words)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(reading, "_pixels", watched)
    monkeypatch.setattr(files, "_PIXELS_IN_FLIGHT", 400)
    images = []
    for number in range(80):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((20, 20, 3), number, dtype=np.uint8)).save(path)
        images.append(ImageFile(path.name, "someone", path if number % 2 else path.read_bytes))
    reader = FileReader(ReadSettings(workers=4, align=AlignSettings(mode="centre")))
    report = Report()
    assert [face.source for face in reader.read(images, report)] == [image.name for image in images]
    assert most == 1

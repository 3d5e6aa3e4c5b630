"""Operating points that are known in closed form."""

import numpy as np

from lrface.naming.operating_points import Curve, OperatingPoints

WEIGHTS = "a" * 64
RATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5)
SIDES = (8.0, 16.0, 32.0, 112.0)


def known_points(edgeface: str = WEIGHTS, dsr: str = "none") -> OperatingPoints:
    """Thresholds that fall by 0.1 with each tenfold rate, and rise by 0.1 with each tenfold gallery and by size."""

    def threshold(rate: float, gallery: int, place: int) -> float:
        return 0.2 + 0.1 * (np.log10(gallery) - np.log10(rate) - 2) + 0.05 * place

    places = range(len(SIDES))
    return OperatingPoints(
        edgeface=edgeface,
        dsr=dsr,
        sides=SIDES,
        people=101,
        searches=10_000,
        impostors=1_000_000,
        growth=(1.0, 1.0, 1.0, 0.5),
        curves=tuple(
            Curve(
                gallery=gallery,
                rate=rate,
                thresholds=tuple(threshold(rate, gallery, place) for place in places),
                low=tuple(threshold(rate, gallery, place) - 0.02 for place in places),
                high=tuple(threshold(rate, gallery, place) + 0.02 for place in places),
                alarms=tuple(int(rate * 10_000) for _ in places),
            )
            for gallery in (1, 10, 100)
            for rate in RATES
        ),
    )

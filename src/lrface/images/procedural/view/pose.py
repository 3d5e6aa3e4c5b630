"""Where the head stands before the camera: rotation, the five points, and the fit to the aligned crop."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from lrface.images.procedural.person.head import Head, surface_point
from lrface.images.procedural.person.identity import Identity
from lrface.images.procedural.view.nuisance import Expression, Nuisance

TEMPLATE: Float[np.ndarray, "5 2"] = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
TURNS_AT = 76.0
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """How the camera sees the head.

    Attributes:
        rotation: 3 x 3, from the head's frame (about the point (0, `TURNS_AT`, 0)) to the camera's.
        distance: From the camera to the head's axis, pixels.
        to_screen: 2 x 3 similarity from the crop's pixels to the camera's plane.
    """

    rotation: Points
    distance: float
    to_screen: Points


def rotation(yaw: float, pitch: float) -> Points:
    """Turns the head to its side (yaw, about y) and up or down (pitch, about x), radians."""
    cos_yaw, sin_yaw, cos_pitch, sin_pitch = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    turn = np.array([[cos_yaw, 0.0, sin_yaw], [0.0, 1.0, 0.0], [-sin_yaw, 0.0, cos_yaw]])
    nod = np.array([[1.0, 0.0, 0.0], [0.0, cos_pitch, -sin_pitch], [0.0, sin_pitch, cos_pitch]])
    return np.asarray(nod @ turn, dtype=np.float64)


def mouth_corner(identity: Identity, expression: Expression) -> tuple[float, float]:
    """Where a mouth corner is under an expression: distance from the middle, and height, pixels."""
    mouth = identity.mouth
    x = mouth.half_width + 2.9 * expression.smile - 1.1 * expression.opening
    y = mouth.height - 0.7 * mouth.corners - 2.5 * expression.smile + 0.9 * expression.opening
    return x, y


def face_points(identity: Identity, expression: Expression, head: Head) -> Points:
    """The five points on the head, 5 x 3: eyes, nose tip, mouth corners, left of the picture first."""
    corner_x, corner_y = mouth_corner(identity, expression)
    eyes, nose = identity.eyes, identity.nose
    places = [
        (-eyes.half_distance, eyes.height), (eyes.half_distance, eyes.height), (0.0, nose.tip_height),
        (-corner_x, corner_y), (corner_x, corner_y),
    ]  # fmt: skip
    return np.array([surface_point(head, x, y) for x, y in places])


def project(points: Points, turned: Points, distance: float) -> Points:
    """Perspective projection of n x 3 points to the camera's plane, n x 2 (about `CENTRE_X`, `TURNS_AT`)."""
    moved = (points - np.array([0.0, TURNS_AT, 0.0])) @ turned.T
    return np.asarray(moved[:, :2] * (distance / (distance - moved[:, 2:])), dtype=np.float64)


def fit_similarity(source: Points, target: Points) -> Points:
    """The 2 x 3 similarity that takes source to target with the least squares (n x 2 each)."""
    middle_source, middle_target = source.mean(axis=0), target.mean(axis=0)
    from_middle = (source - middle_source) @ np.array([1.0, 1j])
    to_middle = (target - middle_target) @ np.array([1.0, 1j])
    factor = np.vdot(from_middle, to_middle) / np.vdot(from_middle, from_middle).real
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([linear, middle_target - linear @ middle_source])


def look(identity: Identity, nuisance: Nuisance, head: Head) -> View:
    """Poses the head and fits its five points to the aligned crop, with the picture's small misalignment."""
    pose = nuisance.pose
    turned = rotation(pose.yaw, pose.pitch)
    seen = project(face_points(identity, nuisance.expression, head), turned, pose.distance)
    fit = fit_similarity(TEMPLATE, seen)
    cos_roll, sin_roll = np.cos(pose.roll), np.sin(pose.roll)
    slip = np.array([[cos_roll, -sin_roll], [sin_roll, cos_roll]]) / pose.zoom
    middle = np.array([56.0, 72.0])
    offset = middle - slip @ (middle + np.array([pose.shift_x, pose.shift_y]))
    linear = fit[:, :2] @ slip
    return View(turned, pose.distance, np.column_stack([linear, fit[:, :2] @ offset + fit[:, 2]]))


def points_in_crop(identity: Identity, nuisance: Nuisance, head: Head) -> Float[np.ndarray, "5 2"]:
    """Where the five points are in the crop, pixels."""
    view = look(identity, nuisance, head)
    seen = project(face_points(identity, nuisance.expression, head), view.rotation, view.distance)
    linear, offset = view.to_screen[:, :2], view.to_screen[:, 2]
    return np.asarray((seen - offset) @ np.linalg.inv(linear).T, dtype=np.float64)

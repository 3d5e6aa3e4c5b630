"""From a picture to aligned faces: detector, landmarks, how well they fit."""

"""One picture of a drawn person: pose, expression, light, camera."""

"""Arms, protocols, threshold sweep, resolution curve, figures."""

"""Figures shown: plots, the HTML report, the model card."""

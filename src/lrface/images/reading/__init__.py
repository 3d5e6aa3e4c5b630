"""Pictures read strictly and within bounds."""

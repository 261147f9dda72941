"""Applications of companies for a place in the delegation."""

"""The theory: densities, chains, recursions, word models. NumPy and SciPy only."""

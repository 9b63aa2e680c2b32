"""Fitting models to a speaker: MAP, MLLR and constrained MLLR, each from the statistics that training uses."""

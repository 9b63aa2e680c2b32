"""The exchange with HTK 3.4.1, the Hidden Markov Model Toolkit: its parameter files and its model definitions."""

"""Files and names: what is written whole or not at all, and where."""

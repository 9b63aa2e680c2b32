"""From samples to what the models see."""

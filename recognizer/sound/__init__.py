"""Sound: files and microphones in, samples out, and what can be told of them without a model."""

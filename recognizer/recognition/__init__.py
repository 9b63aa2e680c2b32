"""From features to an answer."""

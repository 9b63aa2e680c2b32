"""Speakers: their takes and profiles."""

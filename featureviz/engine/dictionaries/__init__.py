"""Dictionaries: what turns activations at a hook point into latents. One file an architecture."""

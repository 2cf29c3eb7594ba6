"""Ours beside its peers on the same model, dictionary and tokens; by hand, see README.md."""

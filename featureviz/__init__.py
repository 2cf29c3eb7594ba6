"""featureviz: look inside language models, one latent at a time."""

__version__ = "0.1.0"

"""The shipped demo: two one-layer transformers and three dictionaries, trained by this package.

"Towards Monosemanticity" (Bricken et al. 2023) in miniature: 512 ReLU neurons, dictionaries A/0
(512 latents), A/1 (4,096) and B/1 (4,096, a model of another seed). No Django in here.
"""

"""Finding latents: by words, by numbers, by address."""

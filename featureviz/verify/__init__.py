"""A second opinion: what a page says, computed again by other code than the engine's."""

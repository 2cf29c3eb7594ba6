"""The numerics: contexts in, dashboards out. Knows torch, no Django; usable from a notebook."""

"""Performance claims, as ratios in one run: `make bench`, or `python -m bench [name …]`."""

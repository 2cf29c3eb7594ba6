"""One statistic a file; each grows by one stretch of corpus at a time, in bounded memory.

The compiled updates (`*_update`) are called by `walk.py`, which passes once over the activations.
"""

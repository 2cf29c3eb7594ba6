"""The contract both sides share: what a dashboard holds, how it is stored, how its text reads.

Knows numpy and msgspec only: the engine writes it, the web reads it.
"""

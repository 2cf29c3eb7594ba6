"""The REST API: the same things as on the pages, for programs, under the same rules."""

"""A trained run on any video: boxes, windows, what is done, why, and the files that say so."""

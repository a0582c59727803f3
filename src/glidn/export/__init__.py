"""A trained network as one file that runs without glidn."""

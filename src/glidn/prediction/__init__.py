"""A model's answer on a new video, drawn: `overlay` (a frame), `strip` (its scores), `brush`."""

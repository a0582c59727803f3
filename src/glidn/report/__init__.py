"""Run folders -> one self-contained HTML page.

`page` assembles it from `sources` (what the folder holds) and one file per section: `head`,
`tables`, `rules`, `curves`, `confusion` and `why`, whose videos are made by `graph` (which edges),
`drawing` (a frame) and `video` (an mp4).
"""

"""Run folders -> one self-contained HTML page.

`page` assembles it from `sources` (what the folder holds) and one file per section: `head` with
`facts`, `tables`, `rules`, `curves`, `confusion` (one label per video) or `precision` (many), and
`why`, whose videos are made by `cases` (which), `graph` (which edges), `view` (what a network of
clips sees), `drawing` (a frame) and `video` (an mp4).
"""

"""A result as a few lines of HTML, for notebooks: nothing but text and inline SVG."""

from html import escape

import numpy as np

from glidn.prediction.result import Result

ROWS, WIDTH, LANE = 6, 560, 22


def card(result: Result) -> str:
    """What is shown, when, and who said so."""
    times, scores = result.timeline
    rank = np.argsort(-scores.max(0), kind="stable")[:ROWS] if len(times) else np.zeros(0, int)
    rows = [_row(result, times, scores[:, k], result.classes[k]) for k in rank]
    notes = [note for note in (result.warning, *result.notes) if note]
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        '<div style="font:13px/1.5 system-ui,sans-serif;max-width:860px">'
        f"<b>{escape(result.video)}</b>, {result.seconds:.1f} s, {len(result.actions)} actions"
        f"<table>{''.join(rows)}</table>"
        f'<div style="opacity:.7">{escape(result.run)} · {escape(result.detector)}</div>'
        f"<ul>{said}</ul></div>"
    )


def _row(result: Result, times: np.ndarray, scores: np.ndarray, label: str) -> str:
    x = np.clip(times / max(result.seconds, 1e-9), 0, 1) * WIDTH
    points = " ".join(
        f"{a:.1f},{LANE - 2 - b * (LANE - 4):.1f}" for a, b in zip(x, scores, strict=True)
    )
    title = f"{label}: at most {scores.max():.2f}"
    return (
        f'<tr><td style="text-align:right">{escape(label)}</td><td>'
        f'<svg width="{WIDTH}" height="{LANE}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{WIDTH}" height="{LANE}" fill="currentColor" opacity=".06"/>'
        f'<polyline points="{points}" fill="none" stroke="#2a9d8f" stroke-width="2"/>'
        f"</svg></td><td>{scores.max():.2f}</td></tr>"
    )

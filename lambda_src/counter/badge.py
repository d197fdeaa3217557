"""The number as a picture, for pages without script."""

from __future__ import annotations

from html import escape

MAX_LABEL = 40
PADDING = 6
# How wide Verdana draws them at 11 px, about; textLength does the rest, and other fonts.
WIDTHS = {
    **dict.fromkeys("ijl.,:;!|' ", 3.5),
    **dict.fromkeys("frtIJ()[]/-", 4.6),
    **dict.fromkeys("mwMW@%", 10.2),
}
CAPITAL, USUAL, FOREIGN = 7.7, 6.7, 9.0

# Contrast of white on both is above 4.5 (WCAG 2.2, 1.4.3).
BADGE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{title}">
<title>{title}</title>
<rect width="{width}" height="20" rx="3" fill="#555"/>
<path d="M{left} 0h{reach}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{reach}z" fill="#0b6bcb"/>
<g fill="#fff" font-family="Verdana,Geneva,sans-serif" font-size="11" text-anchor="middle">
<text x="{label_x}" y="14" textLength="{label_length}">{label}</text>
<text x="{number_x}" y="14" textLength="{number_length}">{number}</text>
</g>
</svg>
"""


def badge(visits: int | None, label: str) -> str:
    """An SVG of ``label`` and number; a dash when it is not known.

    The label is text, whatever it holds; what a page cannot show is left out.
    """
    label = "".join(filter(str.isprintable, label)).strip()[:MAX_LABEL] or "visits"
    number = "\N{EN DASH}" if visits is None else f"{visits:,}"
    label_length, number_length = _length(label), _length(number)
    left, right = label_length + 2 * PADDING, number_length + 2 * PADDING
    return BADGE.format(
        width=left + right,
        left=left,
        reach=right - 3,
        title=escape(f"{label}: {number}"),
        label=escape(label),
        label_x=left / 2,
        label_length=label_length,
        number=number,
        number_x=left + right / 2,
        number_length=number_length,
    )


def _length(text: str) -> int:
    """In px."""
    return round(sum(map(_width, text)))


def _width(character: str) -> float:
    if not character.isascii():
        return FOREIGN
    return WIDTHS.get(character, CAPITAL if character.isupper() else USUAL)

"""The loop as a ring, for the sign-in page: four stages around one circle."""

from markupsafe import Markup

from services.console.i18n import Texts

_STAGES = (("insight", 170, 44), ("strategy", 296, 174), ("execution", 170, 304), ("review", 44, 174))

# Font size and letter spacing of the name inside the circle.
_SIZES = {"zh": (27, 4), "en": (21, 1)}


def ring(t: Texts) -> Markup:
    labels = Markup().join(
        Markup(
            '<rect x="{}" y="{}" width="84" height="34" rx="17" fill="#1d3a5c" stroke="#3c6488"/>'
            '<text x="{}" y="{}" font-size="14" text-anchor="middle" fill="#eaf2f8">{}</text>'
        ).format(x - 42, y - 17, x, y + 5, t(f"loop.{key}"))
        for key, x, y in _STAGES
    )
    heads = Markup().join(
        Markup(
            '<path d="M-5-6l11 6-11 6z" fill="#6fc3d8" transform="rotate({} 170 174) translate(170 46)"/>'
        ).format(angle)
        for angle in (45, 135, 225, 315)
    )
    return Markup(
        '<svg class="ring" viewBox="0 0 340 348" role="img" aria-label="{}">'
        '<circle cx="170" cy="174" r="128" fill="none" stroke="#3c6488" stroke-width="2"/>'
        '{}{}<text x="170" y="182" font-size="{}" text-anchor="middle" fill="#fff" font-weight="600"'
        ' letter-spacing="{}">{}</text></svg>'
    ).format(t("loop.label"), heads, labels, *_SIZES[t.language], t("product"))

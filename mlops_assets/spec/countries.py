"""Countries whose public holidays are known."""

from mlops_assets.errors import nearest

_COMMON_COUNTRIES = """
AR AT AU BE BG BR CA CH CL CN CO CY CZ DE DK EE EG ES FI FR GB GR HR HU ID IE IL IN IS IT JP KE KR LT LU LV MA MT
MX MY NG NL NO NZ PE PH PK PL PT RO RS SA SE SG SI SK TH TN TR TW UA US UY VN ZA
"""
COMMON_COUNTRIES = frozenset(_COMMON_COUNTRIES.split())
"""Countries whose holidays are known for sure: importing the package to ask takes half a second."""


def known_country(value: str | None) -> str | None:
    """Return a country, with a subdivision such as US-NY; ValueError where there are no such holidays."""
    if value is not None and value not in COMMON_COUNTRIES:
        import holidays

        country, dash, subdivision = value.partition("-")
        try:
            if dash and not subdivision:
                raise NotImplementedError
            holidays.country_holidays(country, subdiv=subdivision or None)
        except NotImplementedError:
            countries = holidays.list_supported_countries()
            allowed = [f"{country}-{part}" for part in countries.get(country, [])] or list(countries)
            near = nearest(value.upper(), allowed)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no country such as US, and no subdivision such as US-NY{hint}") from None
    return value

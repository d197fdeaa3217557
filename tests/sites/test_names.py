"""What a site, a domain and an account may be called."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from sites.models import Account, Domain, Site


@pytest.mark.parametrize(
    ("model", "field", "good", "bad"),
    [
        (Site, "name", ["a", "my-site", "2024"], ["my-site\n", "-a", "a-", "A", "a.b", "a_b", "ü"]),
        (
            Domain,
            "name",
            ["example.com", "www.xn--bcher-kva.example", "*.example.com", "*.preview.example.com"],
            ["example.com\n", "com", "1.2.3.4", "a..b.com", f"{'a' * 64}.com"]
            + ["*.com", "*", "a.*.com", "*.*.com", "*a.example.com", "*.localhost"]
            + [f"*.{'a.' * 100}com"],
        ),
        (Account, "aws_account_id", ["123456789012"], ["12345678901\n", "1" * 11, "١" * 12]),
    ],
)
def test_names(model, field, good, bad):
    names = model._meta.get_field(field)
    for name in good:
        assert names.clean(name, None) == name
    for name in bad:
        with pytest.raises(ValidationError):
            names.clean(name, None)


def test_the_domain_of_previews_redirects_nowhere():
    domain = Domain(name="*.preview.example.com", redirects=True)
    with pytest.raises(ValidationError, match="domain of previews"):
        domain.clean()
    assert domain.is_wildcard

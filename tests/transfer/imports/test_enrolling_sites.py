"""Files and the days between which a site enrols."""

from sites.models import Site
from tests.transfer.conftest import findings


def test_a_file_is_told_whom_a_site_does_not_take(bring_in, good, north):
    Site.objects.filter(pk=north.pk).update(activated_on="2024-02-01")
    report = bring_in(good)
    reason = "The site takes no patient who consents on that day: from 2024-02-01 until … would fit."
    assert findings(report)[0] == ("patients.csv", 2, "consent_date", "2024-01-08", reason)

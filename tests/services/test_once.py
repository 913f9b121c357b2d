"""What is read once a request is read anew by the next one, outside of requests, and after it was changed."""

from sites.database.per_request_cache import once_a_request
from sites.tenancy.scope import Scope, entered


def test_an_answer_is_kept_for_a_request():
    reads = []

    @once_a_request
    def asked():
        reads.append(None)
        return len(reads)

    assert (asked(), asked()) == (1, 2)  # no request
    with entered(Scope(request_id="a")):
        assert (asked(), asked()) == (3, 3)
        assert (asked.now(), asked()) == (4, 3)
        asked.forget()
        assert (asked(), asked()) == (5, 5)
    with entered(Scope(request_id="b")):
        assert asked() == 6

"""Error reports, as Django writes them into pages of development and mails: without values of local variables.

What a frame holds may be a patient's answers, a password or a link; the traceback says where and what.
"""

from typing import Any

from django.views.debug import SafeExceptionReporterFilter

from sites.logs.redaction import redacted

LEFT_OUT = "[left out]"


class WithoutValues(SafeExceptionReporterFilter):
    def is_active(self, request: Any) -> bool:
        """Also while DEBUG is on."""
        return True

    def get_traceback_frame_variables(self, request: Any, tb_frame: Any) -> Any:
        return [(name, LEFT_OUT) for name in tb_frame.f_locals]

    def get_post_parameters(self, request: Any) -> dict[str, str]:
        return {} if request is None else dict.fromkeys(request.POST, LEFT_OUT)

    def get_safe_request_meta(self, request: Any) -> dict[str, str | Any]:
        meta = super().get_safe_request_meta(request)
        return {name: redacted(value) if isinstance(value, str) else value for name, value in meta.items()}

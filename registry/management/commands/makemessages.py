"""Catalogues of translations, as Django makes them; that of a further language also has every declared `Label`.

Japanese stands beside the English in a declaration, so its catalogue holds what templates and code mark alone.
"""

from django.core.management.commands.makemessages import Command as MakeMessages

BESIDE = {"en", "ja"}


class Command(MakeMessages):
    def handle(self, *arguments, **options):
        wanted = {locale[:2] for locale in options["locale"] or ()}
        if wanted and not wanted & BESIDE:
            self.xgettext_options = [*self.xgettext_options, "--keyword=Label:1"]
        return super().handle(*arguments, **options)

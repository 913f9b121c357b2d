from registry.management.transfer.elsewhere import Elsewhere


class Command(Elsewhere):
    help = (
        "Stands in the place of django-import-export's command, which would go around the checks: import_file imports."
    )
    instead = "`import_file FILE --by PERSON` (or `import_csv FOLDER`)"

from registry.management.transfer.elsewhere import Elsewhere


class Command(Elsewhere):
    help = "Stands in the place of django-import-export's command, which knows no cohort: export_data exports."
    instead = "`export_data` (or `export_csv FOLDER`)"

from pathlib import Path
from django.db import migrations
from sites.protection import app_role, audited, policies, updated_by, REVIEW
SQL = (Path(__file__).parents[1] / "guards" / "sql" / "protocol.sql").read_text()
STAMPS = ("version", "updated_at", "updated_by_id")
class NoRoll(migrations.RunSQL):
    pass
GUARDS = [
    migrations.RunSQL(SQL, ""),
    policies("registry_ownrecord"), updated_by("registry_ownrecord", REVIEW),
    migrations.RunSQL("""
    CREATE TRIGGER record_stored BEFORE UPDATE ON registry_ownrecord FOR EACH ROW EXECUTE FUNCTION record_stored('state', 'form');
    CREATE TRIGGER record_stamped BEFORE INSERT ON registry_ownrecord FOR EACH ROW EXECUTE FUNCTION stamp_row();
    CREATE TRIGGER keep_protocol BEFORE UPDATE OR DELETE ON registry_protocolversion FOR EACH ROW EXECUTE FUNCTION keep_protocol();
    CREATE TRIGGER keep_protocol BEFORE UPDATE OR DELETE ON registry_owninstrument FOR EACH ROW WHEN (NOT OLD.is_draft) EXECUTE FUNCTION keep_protocol();
    CREATE TRIGGER complete_as_asked AFTER INSERT OR UPDATE ON registry_assessment FOR EACH ROW WHEN (NEW.state <> 'draft' AND NEW.asked_by IS NOT NULL) EXECUTE FUNCTION complete_as_asked('assessment', 'state', 'asked_by');
    CREATE TRIGGER complete_as_asked AFTER INSERT OR UPDATE ON registry_ownrecord FOR EACH ROW WHEN (NEW.state <> 'draft') EXECUTE FUNCTION complete_as_asked('repeat', 'state', 'asked_by');
    CREATE TRIGGER baseline_as_asked AFTER INSERT OR UPDATE ON registry_patient FOR EACH ROW WHEN (NEW.baseline_state <> 'draft' AND NEW.baseline_asked_by IS NOT NULL) EXECUTE FUNCTION complete_as_asked('baseline', 'baseline_state', 'baseline_asked_by');
    CREATE TRIGGER surgery_as_asked AFTER INSERT OR UPDATE ON registry_patient FOR EACH ROW WHEN (NEW.surgery_state <> 'draft' AND NEW.surgery_asked_by IS NOT NULL) EXECUTE FUNCTION complete_as_asked('surgery', 'surgery_state', 'surgery_asked_by');
    REVOKE INSERT, UPDATE, DELETE ON registry_owncolumn FROM """ + app_role() + """;
    """, ""),
    audited("registry_ownrecord", without=STAMPS),
    audited("registry_protocolversion", site="", without=("document", "asked")),
    audited("registry_owninstrument", site="", without=("changed_at", "document")),
    audited("registry_owncolumn", key="name", site=""),
]

"""What people enter: patients, assessments, answers by a link. Calls review, follow_up and records."""

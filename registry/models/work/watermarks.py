"""How far the recurring computations have come."""

from django.db import models


class Watermark(models.Model):
    """The youngest transaction whose rows a computation has certainly seen (`services/watermarks.py`)."""

    name = models.CharField(max_length=40, primary_key=True)
    fingerprint = models.CharField(max_length=64)
    cluster = models.BigIntegerField()
    xid = models.BigIntegerField()
    marked_at = models.DateTimeField()

    def __str__(self):
        return self.name

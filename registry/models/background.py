"""Work in the background: signs of life, the last run of each recurring task, and messages that wait for the broker."""

from django.db import models


class Heartbeat(models.Model):
    """One row for each process or task: `beat`, `queue:NAME` (a worker takes from it), `task:NAME`.

    Nothing of a patient, hence no site and no policy; the trail leaves it out.
    """

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()  # when it last showed life, or last ended
    seconds = models.FloatField(null=True)  # how long the last run took
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)  # of the last failure; kept until it succeeds again
    holder = models.CharField(max_length=100, blank=True)  # of what only one process may do

    def __str__(self):
        return self.name


class Postponed(models.Model):
    """A message to the workers that could not be sent: the broker was away. The sweeper sends it and removes the row.

    arguments  what the task is called with, encrypted: a mail holds an address and perhaps a link
    """

    task = models.CharField(max_length=100)
    arguments = models.BinaryField()
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.task

"""What the database guards by itself: every policy, trigger, function and right, declared here and nowhere else.

`migrate` puts them in place after the tables (`applying`), a server does not start without them (`checking`). May call
models, sites and instruments; services and everything above may call it.
"""

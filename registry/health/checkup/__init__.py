"""System check-up (`manage.py doctor`, the administrators' page “System”): one declaration of what is looked at.

`declared.py` lists the checks; `examine` carries them out. Each takes a `Looking` and returns a `Finding`; what it
raises is a finding too. None changes anything, and all together take less than two seconds.
"""

"""The figures of a comparison: numbers kept in its result, and drawings made from them whenever somebody looks.

`numbers` counts (the runner calls it); each other module turns a part of a result into Charts: a table, a text for
those who cannot see the drawing, and the drawing. `charts` lists them all and `drawn` makes a file of one.
"""

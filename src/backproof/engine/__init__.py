"""The engine: bars in, result out. Pure: no files, no clock, no service; numpy outside, numba inside.

`strategies` is light and may be imported anywhere; `bars` needs numpy; `simulation` and `warm` load numba and TA-Lib.
"""

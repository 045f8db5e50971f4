"""The other engines, each behind a few functions that give an equity curve: [bars], account currency, at every close.

A signal strategy is given as `wish`, [bars], decided at each bar's close and not shifted: 1 be long, 0 be out,
-1 be short, NaN no opinion. A portfolio is given as target weights on the bars of decision. Everything after the
decision (fills, sizes where the engine has a rule for them, costs, stops, cash) is the engine's own work.
"""

"""Mutants: broken variants of the product's logic, each of which the simulator must catch.

A harness that finds nothing proves nothing.  Each mutant is one small mistake somebody could make:
a line of a function replaced by another one, in the living code, and put back afterwards.

Reading order: `mutant`; `broker`, `recovery`, `peers` list them, `missed` those that get away;
`hunt` looks for the first seed that catches one; `command` shows them all in a table.
"""

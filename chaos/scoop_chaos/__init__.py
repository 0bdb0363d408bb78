"""Proof that scoop-ft keeps what it promises, by breaking everything it stands on.

Two harnesses, one language: `sim` runs the state machines in one process under a virtual clock,
`real` runs real processes under real signals; both name faults as `faults` does and report what
they find as `violations` of the invariants that ``docs/invariants.md`` numbers.  `cuts` cuts the
power of the journal's file, `mutants` shows that the simulator sees what is broken, `matrix` sets
our recovery beside that of others, and `rehearsal` is ``scoop-ft chaos``, for users' own scripts.
"""

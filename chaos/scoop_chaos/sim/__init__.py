"""The simulator: broker, workers, root, agents and journal in one process, under a virtual clock.

What runs is the product: the broker's core and its driver, the sessions, the worker's crew of
greenlets, the agent, `scoop_ft.futures` as tasks use it.  What is made up are the clock, the
network, the disk and the processes, which are greenlets here.  One integer, the seed, decides
everything; the same seed gives the same trace.

Reading order: `clock`, `process`, `network`, `disk`; `link` and `peers`, `broker`; `workload`,
`stage`, `answers`; `plan`, `inject`, `checks`; `world` joins them (`trace`, `stand_ins`);
`campaign` runs many, `minimise` makes one small, `command` is what people type.
"""

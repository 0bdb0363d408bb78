"""Simulated workers and agents, thousands in a process, each worker with a real DEALER of its own.

They say to the broker what real ones say, in the same order: a worker its hello, then for each task
`Results` and `Idle`; an agent, each half second, a `Heartbeat` of its host's workers.  A task is a
wait.  What real workers have and these have not: a watch on the connection, and user code.

`serve` is what such a process runs; `crowd` starts it and asks it through a pipe.
"""

from __future__ import annotations

import os
import pickle
import random
import select
import time
from array import array
from collections import deque
from heapq import heappop, heappush
from multiprocessing.connection import Connection as Pipe
from typing import Any

import zmq
from zmq.backend import Socket

from scoop_ft.client.connection import dealer
from scoop_ft.ids import task_id
from scoop_ft.launch.agent import HEARTBEAT_S
from scoop_ft.wire import messages as wire
from scoop_ft.wire import parts
from scoop_ft.wire.codec import decode_from_broker, encode

EVENTS, IN, OUT = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)  # enums are slow
_ask = Socket.get
IO_SHARE = 500  # sockets of one I/O thread: its timers cost time in proportion to their number
CONNECTS = 200  # workers that begin to connect in one step
RESULT = pickle.dumps(1)
ENDS = array("I", [len(RESULT)]).tobytes()


class Line:
    """A peer's connection."""

    def __init__(self, context: zmq.Context[Any], endpoint: str, session: bytes) -> None:
        self.session = session
        self.greeted = self.welcomed = False
        self.connections = 1
        self.socket = dealer(context, endpoint)
        self.socket.connect(endpoint)

    def say(self, message: Any, *frames: bytes) -> bool:
        """Send a message; False when there is no connection."""
        try:
            parts.send(self.socket, [encode(message), *frames])
        except zmq.Again:
            return False
        return True

    def heard(self) -> list[Any]:
        """Return the messages that have come; say hello as soon as there is a connection.

        Whoever asks for the events takes the signal that there are some: so nothing is left.
        """
        found = []
        while True:
            events = _ask(self.socket, EVENTS)
            if events & IN:
                header, *frames = [frame.bytes for frame in parts.receive(self.socket)]
                found.append(decode_from_broker(header, frames))
            elif events & OUT and not self.greeted:
                self.greeted = self.say(self.hello())
            else:
                return found

    def hello(self) -> wire.Hello:
        """Return who this is."""
        raise NotImplementedError


class Worker(Line):
    """One worker: what it holds, and what it has said."""

    def __init__(
        self, context: zmq.Context[Any], endpoint: str, session: bytes, agent: bytes
    ) -> None:
        super().__init__(context, endpoint, session)
        self.agent = agent
        self.held: deque[tuple[bytes, int, int]] = deque()
        self.task = b""
        self.n = self.runs = self.done = 0
        self.since = 0.0
        self.reported_at = 0.0  # 0: it has been given something since

    def hello(self) -> wire.Hello:
        return wire.Hello(
            wire.PROTOCOL_VERSION, self.session, "worker", "a host", os.getpid(), self.agent,
            [], [], self.connections,
        )  # fmt: skip

    def report(self, now: float) -> wire.WorkerReport:
        state = "busy" if self.task else "idle"
        return wire.WorkerReport(
            self.session, os.getpid(), state, self.task, now - self.since, 50_000_000, self.done
        )


class Agent(Line):
    """One host's agent."""

    def __init__(self, context: zmq.Context[Any], endpoint: str, session: bytes) -> None:
        super().__init__(context, endpoint, session)
        self.workers: list[Worker] = []

    def hello(self) -> wire.Hello:
        return wire.Hello(
            wire.PROTOCOL_VERSION, self.session, "agent", "a host", os.getpid(), b"", [], [],
            self.connections,
        )  # fmt: skip


class Crowd:
    """All peers of one process.

    Parameters
    ----------
    endpoint : str
    workers, each : int
        How many there are, and how many an agent answers for.
    seconds : float
        What a task takes, give or take a fifth.
    """

    def __init__(self, endpoint: str, workers: int, each: int, seconds: float) -> None:
        self._context = zmq.Context(io_threads=1 + workers // IO_SHARE)
        self._context.set(zmq.MAX_SOCKETS, 2 * workers + 100)
        self._endpoint = endpoint
        self._each = each
        self._seconds = seconds
        self._missing = workers
        self._poll = select.epoll()
        self._by_fd: dict[int, Worker | Agent] = {}
        self._workers: list[Worker] = []
        self._agents: list[Agent] = []
        self._ends: list[tuple[float, int, Worker]] = []  # a heap
        self._beats: list[tuple[float, int, Agent]] = []  # a heap
        self._order = 0
        self._random = random.Random(os.getpid())
        self.joined = 0
        self.broken = 0  # connections that had to be made anew
        self.done = 0
        self.late_s = 0.0  # how late the latest task was ended, for want of processor time
        self.waits: list[float] = []  # seconds from a result to the next task

    def watch(self, fd: int) -> None:
        """Wake up for this, too."""
        self._poll.register(fd, select.EPOLLIN)

    def step(self) -> None:
        """Do what is due, then wait for what comes."""
        self._connect()
        now = time.monotonic()
        due = min([now + 0.1, *(heap[0][0] for heap in (self._ends, self._beats) if heap)])
        for fd, _ in self._poll.poll(0 if self._missing else max(0.0, due - now), 512):
            line = self._by_fd.get(fd)
            if line is not None:
                self._hear(line)
        self._end_tasks()
        self._beat()

    # ---- joining ---------------------------------------------------------------------------------

    def _connect(self) -> None:
        for _ in range(min(CONNECTS, self._missing)):
            self._missing -= 1
            if len(self._workers) % self._each == 0:
                agent = Agent(self._context, self._endpoint, os.urandom(8))
                self._agents.append(agent)
                self._begin(agent)
            agent = self._agents[-1]
            worker = Worker(self._context, self._endpoint, os.urandom(8), agent.session)
            agent.workers.append(worker)
            self._workers.append(worker)
            self._begin(worker)

    def _begin(self, line: Worker | Agent) -> None:
        fd = line.socket.getsockopt(zmq.FD)
        self._by_fd[fd] = line
        self._poll.register(fd, select.EPOLLIN)
        self._hear(line)

    # ---- tasks -----------------------------------------------------------------------------------

    def _hear(self, line: Worker | Agent) -> None:
        for message in line.heard():
            if type(message) is wire.Welcome:
                self._welcome(line)
            elif type(message) is wire.Unknown:  # ØMQ has made a broken connection anew
                self.broken += 1
                line.connections += 1
                line.say(line.hello())
            elif type(message) is wire.Refused:
                raise SystemExit(f"a peer was refused: {message.reason}")
            elif isinstance(line, Worker):
                self._work(line, message)

    def _welcome(self, line: Line) -> None:
        if line.welcomed:
            if isinstance(line, Worker):  # what it had is given to others: it begins anew
                line.task, line.runs, line.n = b"", 0, 0
                line.held.clear()
                line.say(wire.Idle(0))
            return
        line.welcomed = True
        if isinstance(line, Worker):
            self.joined += 1
            line.say(wire.Idle(0))
            self._hear(line)
        elif isinstance(line, Agent):
            first = time.monotonic() + self._random.random() * HEARTBEAT_S
            self._push(self._beats, first, line)

    def _work(self, worker: Worker, message: Any) -> None:
        if type(message) is wire.Run:
            worker.runs += 1
            worker.held.append((message.batch, message.start, message.stop))
            if not worker.task:
                self._start(worker)
        elif type(message) is wire.Recall:
            spans = list(worker.held)
            worker.held.clear()
            worker.say(wire.Returned(message.recall, spans))
        elif type(message) is wire.Drop:
            worker.say(wire.Returned(message.recall, [], not message.recall))

    def _start(self, worker: Worker) -> None:
        batch, start, stop = worker.held.popleft()
        if start + 1 < stop:
            worker.held.appendleft((batch, start + 1, stop))
        now = time.monotonic()
        if worker.reported_at:
            self.waits.append(now - worker.reported_at)
            worker.reported_at = 0.0
        worker.task, worker.since = task_id(batch, start), now
        self._push(self._ends, now + self._seconds * self._random.uniform(0.8, 1.2), worker)

    def _end_tasks(self) -> None:
        now = time.monotonic()
        while self._ends and self._ends[0][0] <= now:
            due, _, worker = heappop(self._ends)
            if not worker.task:
                continue  # it has begun anew since
            self.late_s = max(self.late_s, now - due)
            self._end(worker, now)

    def _end(self, worker: Worker, now: float) -> None:
        batch, index = worker.task[:16], int.from_bytes(worker.task[16:], "big")
        worker.n += 1
        worker.done += 1
        self.done += 1
        worker.task = b""
        elapsed = int((now - worker.since) * 1e9)
        ranges = [(index, index + 1)]
        result = wire.Results(worker.n, batch, ranges, b"", ENDS, [], 1, elapsed, False)
        if worker.held:
            worker.say(result, RESULT)
            self._start(worker)
        else:
            worker.reported_at = time.monotonic()
            worker.say(result, RESULT)
            worker.say(wire.Idle(worker.runs))
        self._hear(worker)  # a send may have taken the signal that something has come

    # ---- heartbeats ------------------------------------------------------------------------------

    def _beat(self) -> None:
        now = time.monotonic()
        while self._beats and self._beats[0][0] <= now:
            due, _, agent = heappop(self._beats)
            agent.say(wire.Heartbeat([worker.report(now) for worker in agent.workers]))
            self._hear(agent)
            self._push(self._beats, max(due + HEARTBEAT_S, now), agent)

    def _push(self, heap: list[Any], when: float, line: Line) -> None:
        self._order += 1
        heappush(heap, (when, self._order, line))


def serve(pipe: Pipe, endpoint: str, workers: int, each: int, seconds: float) -> None:
    """Be so many workers until told to stop; answer each question with what was seen since."""
    crowd = Crowd(endpoint, workers, each, seconds)
    crowd.watch(pipe.fileno())
    told = False
    while True:
        crowd.step()
        if crowd.joined == workers and not told:
            told = True
            pipe.send(time.monotonic())
        if pipe.poll():
            if pipe.recv() == "stop":
                os._exit(0)  # closing thousands of sockets one by one takes its time
            pipe.send(
                {
                    "waits": crowd.waits,
                    "done": crowd.done,
                    "late_s": crowd.late_s,
                    "broken": crowd.broken,
                }
            )
            crowd.waits, crowd.late_s = [], 0.0

"""A TCP gate between flytt and an outside system: passes bytes, swallows one direction, or cuts connections."""

import selectors
import socket
import threading


class Gate:
    """Listens on a free loopback port and forwards to `target_port`. Thread-safe switches; close() ends its one thread."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.swallow_answers = False   # target → client bytes are read and thrown away
        self.swallow_requests = False  # client → target bytes are read and thrown away
        self.refuse = False            # new connections are closed at once
        self.swallowed = 0             # bytes thrown away so far
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._cut_requested = threading.Event()
        self._closing = False
        self._peers = {}
        self._selector.register(self.listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cut(self):
        """Closes every connection that is open now."""
        self._cut_requested.set()
        self._wake.send(b"x")

    def close(self):
        self._closing = True
        self._wake.send(b"x")
        self._thread.join()

    def _run(self):
        while not self._closing:
            for key, _ in self._selector.select():
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(64)
                elif key.fileobj in self._peers:
                    self._forward(key.fileobj)
            if self._cut_requested.is_set():
                self._cut_requested.clear()
                for side in list(self._peers):
                    self._drop(side)
        for side in list(self._peers):
            self._drop(side)
        for end in (self.listener, self._wake, self._woken):
            end.close()

    def _accept(self):
        client, _ = self.listener.accept()
        try:
            if self.refuse:
                raise OSError("refused")
            target = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:
            client.close()
            return
        for side, other, is_client in ((client, target, True), (target, client, False)):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.settimeout(10)
            self._peers[side] = (other, is_client)
            self._selector.register(side, selectors.EVENT_READ)

    def _forward(self, side):
        other, is_client = self._peers[side]
        try:
            data = side.recv(1 << 16)
            if not data:
                raise OSError("closed")
            if self.swallow_requests if is_client else self.swallow_answers:
                self.swallowed += len(data)
            else:
                other.sendall(data)
        except OSError:
            self._drop(side)

    def _drop(self, side):
        if side not in self._peers:
            return
        other, _ = self._peers.pop(side)
        self._peers.pop(other, None)
        for end in (side, other):
            try:
                self._selector.unregister(end)
            except KeyError:
                continue
            end.close()

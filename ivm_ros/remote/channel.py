"""Messages between a node and its model's process: JSON behind its length, over a socket. Never code."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Longest message; pictures and masks do not go through here."""

_LENGTH = struct.Struct("<I")


class ChannelClosedError(ConnectionError):
    """The other side has closed the channel or ended."""


class BrokenMessageError(ConnectionError):
    """What came is no message, so nothing after it can be trusted."""


class Channel:
    """One end of a stream socket, which it owns.

    One thread sends and receives at a time; `hang_up` may be called from any.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._received = bytearray()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message of what JSON has; floats arrive as they were, to the last bit.

        Raises:
            ValueError: it is too long; nothing is sent then.
            TypeError: it holds what JSON has not; nothing is sent then.
            ConnectionError: the other side has ended.
        """
        text = json.dumps(message).encode("ascii")
        if len(text) > MAX_MESSAGE_BYTES:
            raise ValueError(f"expected a message of at most {MAX_MESSAGE_BYTES} bytes, got {len(text)}")
        self._socket.sendall(_LENGTH.pack(len(text)) + text)

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for a message.

        Args:
            timeout: seconds without a single byte after which to give up; None waits for ever.

        Raises:
            TimeoutError: nothing came; the channel must not be used afterwards.
            ChannelClosedError: the other side has ended.
            BrokenMessageError: what came is no message.
        """
        self._socket.settimeout(timeout)
        try:
            (length,) = _LENGTH.unpack(self._take(_LENGTH.size))
            if length > MAX_MESSAGE_BYTES:
                raise BrokenMessageError(
                    f"expected a message of at most {MAX_MESSAGE_BYTES} bytes, got {length}"
                )
            message = json.loads(self._take(length))
        except TimeoutError as error:
            raise TimeoutError(f"expected a message within {timeout:g} s, got none") from error
        except (ValueError, RecursionError) as error:
            raise BrokenMessageError(f"expected a message in JSON, got something else: {error}") from error
        if not isinstance(message, dict):
            raise BrokenMessageError(f"expected a message with names, got {type(message).__name__}")
        return message

    def hang_up(self) -> None:
        """Let both sides' waiting calls end; what was sent before still arrives."""
        with contextlib.suppress(OSError):  # the other side may have done so, or this one closed
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back; no other thread may be using it."""
        self._socket.close()

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            piece = self._socket.recv(1 << 16)
            if not piece:
                raise ChannelClosedError("the other side has closed the channel")
            self._received += piece
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

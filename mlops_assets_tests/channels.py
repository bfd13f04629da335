"""A web hook and a mail server on this machine, for alerts that are really sent."""

import json
import socket
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

SECRET = "hunter2-secret"


class Hook:
    """A web hook that keeps what it is sent, or answers that it is out of order."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if hook.status == 200:
                    hook.bodies.append(body)
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.port = self.server.server_port
        self.url = f"json://someone:{SECRET}@127.0.0.1:{self.port}/alerts"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Inbox:
    """A mail server that keeps what it is sent."""

    def __init__(self) -> None:
        from aiosmtpd.controller import Controller

        self.mails: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"mailto://127.0.0.1:{self.port}?from=mlops@example.org&to=person@example.org&mode=insecure"
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    async def handle_DATA(self, server, session, envelope) -> str:
        self.mails.append(envelope.content)
        return "250 taken"

    def texts(self) -> list[tuple[str, str, str]]:
        """Recipient, subject and text of each mail."""
        messages = [message_from_bytes(mail) for mail in self.mails]
        return [
            (
                message["To"],
                message["Subject"],
                "\n".join(part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()),
            )
            for message in messages
        ]

    def stop(self) -> None:
        self.controller.stop()

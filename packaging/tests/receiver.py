"""Answers each HTTP request on loopback with what it asked for, and writes that to a file before.

usage: receiver.py FILE    writes its port to FILE.port
"""

import http.server
import os
import sys

received = sys.argv[1]


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        line = f"{self.command} {self.path} {body}".strip()
        with open(received, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.send_response(200)
        self.send_header("Content-Length", str(len(line.encode())))
        self.end_headers()
        self.wfile.write(line.encode())

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass


open(received, "w", encoding="utf-8").close()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
with open(received + ".part", "w", encoding="utf-8") as file:
    file.write(str(server.server_port))
os.rename(received + ".part", received + ".port")
server.serve_forever()

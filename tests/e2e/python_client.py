"""A blocking client: sends the whole body, then looks for the answer; several requests on one connection.

Arguments: port, path, body size in bytes, number of requests. Prints the statuses, and whether the connection was kept.
"""
import http.client
import sys

port, path, size, requests = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
line = b'"' + b"x" * 97 + b'"\n'
body = line * (size // len(line))
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
connection.connect()
socket = connection.sock
for _ in range(requests):
    connection.request("POST", path, body, {"Content-Type": "application/x-ndjson"})
    response = connection.getresponse()
    response.read()
    print(response.status, response.getheader("Retry-After"))
print("kept" if connection.sock is socket else "closed")

# Runs moto's server (`moto_server`), one request at a time.
# S3 decides a conditional write in one step; moto checks first and writes later, so that 2 of 100
# races of 32 writers had two winners, and a reader could meet an object without its metadata.
import sys
import threading

import moto.server
from werkzeug.serving import run_simple


def run_serially(host, port, app, **options):
    lock = threading.Lock()

    def one_at_a_time(environ, start_response):
        with lock:
            answer = app(environ, start_response)
            try:
                return [b"".join(answer)]
            finally:
                if hasattr(answer, "close"):
                    answer.close()

    run_simple(host, port, one_at_a_time, **options)


moto.server.run_simple = run_serially
moto.server.main(sys.argv[1:])

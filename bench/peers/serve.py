"""Answers requests, a JSON document a line on standard input, each with one on standard output."""

import json
import os
import sys


def serve(answer_to):
    """Whatever the libraries print goes to standard error. answer_to(request, peers): `peers` is its memory."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peers = []
    for line in sys.stdin:
        try:
            answer = answer_to(json.loads(line), peers)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)

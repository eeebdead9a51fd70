#!/usr/bin/env python3
"""A validator in Python: the product's logic after its fix, which looks at the transport first.

    refresh-sim run scenarios/sfb2015/fixed.toml --validator python3 examples/validator.py

docs/validator.md has the protocol. Prints go to validator.log in the results folder. An exception that nobody
catches ends this process, and with it the front end that asked.
"""
import json
import os

CERTIFICATES = {
    "expired": "certificate-expired",
    "wrong-name": "certificate-name",
    "untrusted": "certificate-untrusted",
}


def reason_against(question):
    """Why the peer may not be here; None: it may."""
    if question["transport"] == "tcp":
        if ":" in question["address"]:
            return "tcp-over-ipv6"
        return None if question["address_known"] else "address-unknown"
    certificate = question["certificate"]
    if certificate is None:
        return "certificate-missing"
    return CERTIFICATES.get(certificate["state"])


def main():
    questions = os.fdopen(int(os.environ["REFRESH_SIM_QUESTIONS"]), "r", encoding="utf-8")
    answers = os.fdopen(int(os.environ["REFRESH_SIM_ANSWERS"]), "w", encoding="utf-8", buffering=1)  # line by line
    hello = {"protocol": "refresh-sim.validator/1", "name": "sfb2015-cu2 in Python", "version": "1.0"}
    print(json.dumps(hello | {"pure": True, "time_free": True, "batch": 256}), file=answers)
    for line in questions:
        question = json.loads(line)
        answer = {"id": question["id"], "verdict": "accept"}
        reason = reason_against(question)
        if reason is not None:
            answer |= {"verdict": "reject", "reason": reason}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()

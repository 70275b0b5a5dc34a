#!/usr/bin/env python3
"""Writes messages of four fields, and one that is wrong: KAFKA_BROKERS=localhost:9092 python produce.py [HOW_MANY]"""

import datetime
import json
import os
import sys

import confluent_kafka

TOPIC = "team.hendelser-v1"


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    producer = confluent_kafka.Producer({"bootstrap.servers": os.environ["KAFKA_BROKERS"]})
    for number in range(count):
        message = {"stringValue": f"hendelse {number}", "booleanValue": number % 2 == 0, "numericValue": number,
                   "timestampValue": datetime.datetime.now(datetime.timezone.utc).isoformat()}
        producer.produce(TOPIC, json.dumps(message).encode())
        producer.poll(0)
    producer.produce(TOPIC, b'{"booleanValue": "maybe"}')  # goes to quarantine; nothing waits for it
    return 1 if producer.flush(30) else 0


if __name__ == "__main__":
    sys.exit(main())

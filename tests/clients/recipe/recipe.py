#!/usr/bin/env python3
"""What a team writes to bring a topic of JSON messages into BigQuery: make the table unless it is there, read from the
earliest message on, insert row by row, stop at the first error. Google's own client and Confluent's; nothing here knows flytt.

It is told by its environment: KAFKA_BROKERS, KAFKA_TOPIC, KAFKA_GROUP, GOOGLE_CLOUD_PROJECT, BIGQUERY_DATASET,
BIGQUERY_TABLE, and MESSAGES, after which it ends (without it, never). Where brokers want certificates, KAFKA_CA_PATH,
KAFKA_CERTIFICATE_PATH and KAFKA_PRIVATE_KEY_PATH are files of PEM. With BIGQUERY_EMULATOR_HOST (a URL; the client reads
it) no credentials are sent. Ends with 0 after MESSAGES, with 1 and a traceback on standard error otherwise.
"""

import json
import os

import confluent_kafka
from google.api_core.exceptions import Conflict
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

SCHEMA = [
    bigquery.SchemaField("stringValue", "STRING", mode="REQUIRED"),
    bigquery.SchemaField("booleanValue", "BOOL"),
    bigquery.SchemaField("numericValue", "INT64"),
    bigquery.SchemaField("timestampValue", "TIMESTAMP"),
]


def make_table(client, name):
    try:
        client.create_table(bigquery.Table(name, schema=SCHEMA))
        print("the table was made", flush=True)
    except Conflict:
        print("the table was there", flush=True)
    return client.get_table(name)


def insert_messages(consumer, client, table, count):
    """Ends after `count` messages, or never when it is None."""
    done = 0
    while done != count:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise confluent_kafka.KafkaException(message.error())
        errors = client.insert_rows_json(table, [json.loads(message.value())])
        if errors:
            raise RuntimeError(f"insert errors: {errors}")
        consumer.store_offsets(message)
        done += 1
    print(f"{done} messages were inserted", flush=True)


def security():
    if "KAFKA_CA_PATH" not in os.environ:
        return {}
    return {"security.protocol": "ssl", "ssl.ca.location": os.environ["KAFKA_CA_PATH"],
            "ssl.certificate.location": os.environ["KAFKA_CERTIFICATE_PATH"], "ssl.key.location": os.environ["KAFKA_PRIVATE_KEY_PATH"]}


def main():
    emulated = "BIGQUERY_EMULATOR_HOST" in os.environ
    client = bigquery.Client(project=os.environ["GOOGLE_CLOUD_PROJECT"], credentials=AnonymousCredentials() if emulated else None)
    table = make_table(client, f"{client.project}.{os.environ['BIGQUERY_DATASET']}.{os.environ['BIGQUERY_TABLE']}")
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": os.environ["KAFKA_BROKERS"], "group.id": os.environ["KAFKA_GROUP"],
        "auto.offset.reset": "earliest", "enable.auto.offset.store": False,  # what was not inserted is not committed
        **security()})
    consumer.subscribe([os.environ["KAFKA_TOPIC"]])
    try:
        insert_messages(consumer, client, table, int(os.environ["MESSAGES"]) if "MESSAGES" in os.environ else None)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
